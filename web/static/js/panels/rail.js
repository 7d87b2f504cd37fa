// Which section is being read: marked in the rail, so that the rail is a map and not only a list of links.

export function mount(root) {
  const links = [...root.querySelectorAll("a")];
  const sections = links.map((link) => document.getElementById(link.hash.slice(1)));
  const showing = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) showing.add(target);
      else showing.delete(target);
    }
    const first = sections.findIndex((section) => showing.has(section));
    links.forEach((link, k) => {
      if (k === first) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }, { rootMargin: "-60px 0px -40% 0px" });
  for (const section of sections) watch.observe(section);
  return () => watch.disconnect();
}
