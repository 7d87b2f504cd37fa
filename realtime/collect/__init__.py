"""What can be read off this machine, once a beat."""
