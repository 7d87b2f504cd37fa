// A classic script in <head>: modules that not everybody needs are asked for beside those that everybody does, and not after them.
{
  const view = () => {
    try {
      return new URLSearchParams(location.search).get("view") || localStorage.getItem("playhead.view");
    } catch {
      // Storage may be forbidden; the view comes a moment later then.
      return null;
    }
  };
  // Tabs can share what they are told where there are locks to know each other by.
  const wanted = new Set([view(), navigator.locks && "tabs"]);
  for (const link of document.querySelectorAll("link[data-ahead]")) {
    if (link.dataset.ahead.split(" ").some((name) => wanted.has(name))) Object.assign(link, { href: link.dataset.href, rel: "modulepreload" });
  }
}
