// Keeps the status page up to date.
(() => {
  "use strict";
  const main = document.getElementById("main");
  const lost = document.getElementById("lost");
  let source, again, busy = false, stale = false;

  const update = async () => {
    if (busy) { stale = true; return; }
    busy = true;
    try {
      const response = await fetch("/_run?part=main", { cache: "no-store" });
      if (!response.ok) throw new Error(response.status);
      const html = await response.text();
      const open = [...main.querySelectorAll("details[open]")].map((it) => it.id);
      const focus = document.activeElement && main.contains(document.activeElement) ? document.activeElement.id : "";
      const scrolled = [...main.querySelectorAll(".table")].map((it) => it.scrollLeft);
      // What comes from outside was escaped by the server.
      main.innerHTML = html;
      open.forEach((id) => { const it = document.getElementById(id); if (it) it.open = true; });
      main.querySelectorAll(".table").forEach((it, index) => { it.scrollLeft = scrolled[index] || 0; });
      if (focus) { const it = document.getElementById(focus); if (it) it.focus(); }
      document.title = response.headers.get("x-run-title") ? decodeURIComponent(response.headers.get("x-run-title")) : document.title;
      lost.hidden = true;
    } catch { lost.hidden = false; }
    busy = false;
    if (stale) { stale = false; setTimeout(update, 200); }
  };

  const listen = () => {
    if (source) return;
    source = new EventSource("/_run/events?status");
    source.addEventListener("status", update);
    source.addEventListener("error", () => { lost.hidden = false; });
    again = setInterval(update, 10000);
    update();
  };
  const hush = () => { if (source) { source.close(); source = undefined; clearInterval(again); } };
  document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listen()));
  addEventListener("pagehide", hush);
  if (!document.hidden) listen();
})();
