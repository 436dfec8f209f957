// Added to the pages of components by `run dev`: shows why a build failed, and loads the page again when another version is served.
(() => {
  "use strict";
  if (window.__runDev) return;
  window.__runDev = true;
  // `version` names what was served with this page. `problems` is there only in place of a page that could not be served.
  const { version, problems: shown } = document.currentScript ? document.currentScript.dataset : {};
  let source, host, dismissed;

  const style = `
    :host { all: initial; }
    .back { position: fixed; inset: 0; z-index: 2147483647; overflow: auto; padding: 5vh 1rem; background: rgb(9 11 16 / .72);
      backdrop-filter: blur(3px); font: 15px/1.5 system-ui, sans-serif; }
    .sheet { max-width: 62rem; margin: 0 auto; background: #14171f; color: #e6e9ef; border-radius: .8rem; overflow: hidden;
      border: 1px solid #39404f; border-top: 4px solid #ff6b62; box-shadow: 0 1.5rem 4rem rgb(0 0 0 / .5); }
    header { display: flex; gap: 1rem; align-items: flex-start; justify-content: space-between; padding: 1.1rem 1.4rem .4rem; }
    h2 { margin: 0; font-size: 1.15rem; }
    p { margin: .2rem 0 0; color: #a4adbd; }
    button { font: inherit; color: inherit; background: #262b37; border: 1px solid #434b5c; border-radius: .4rem;
      padding: .25rem .7rem; cursor: pointer; white-space: nowrap; }
    button:hover { background: #323949; }
    button:focus-visible, pre:focus-visible { outline: 2px solid #8ab4ff; outline-offset: 2px; }
    h3 { margin: .9rem 1.4rem .4rem; font-size: .95rem; color: #ff9b94; overflow-wrap: anywhere; }
    pre { margin: 0; padding: .9rem 1.4rem; overflow: auto; background: #0d0f15; border-top: 1px solid #262b37;
      font: 13px/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre; tab-size: 4; }
    footer { padding: .8rem 1.4rem; border-top: 1px solid #262b37; }
    a { color: #8ab4ff; }
    .b { font-weight: 700; } .d { opacity: .65; }
    .c0 { color: #8b95a7; } .c1 { color: #ff8078; } .c2 { color: #7ad98f; } .c3 { color: #f2cc60; }
    .c4 { color: #8ab4ff; } .c5 { color: #d8a6ff; } .c6 { color: #69d5e3; } .c7 { color: #e6e9ef; }`;

  const hide = () => { if (host) { host.remove(); host = undefined; } };

  const show = (problems) => {
    const html = problems.map((it) => `<h3>${it.title}</h3><pre tabindex="0">${it.html}</pre>`).join("");
    if (html === dismissed) return;
    hide();
    host = document.createElement("run-dev-overlay");
    const root = host.attachShadow({ mode: "open" });
    // Titles and messages were escaped by the server.
    root.innerHTML = `<style>${style}</style><div class="back"><div class="sheet" role="alertdialog" aria-modal="true"
      aria-labelledby="title" aria-describedby="what"><header><div><h2 id="title">The build failed</h2>
      <p id="what">The version before it is still served. This closes by itself when the error is mended.</p></div>
      <button type="button" title="Escape">Close</button></header>${html}
      <footer><a href="/_run">Status of the development server</a></footer></div></div>`;
    const close = () => { dismissed = html; hide(); };
    root.querySelector("button").addEventListener("click", close);
    root.querySelector(".back").addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
    document.documentElement.append(host);
    root.querySelector("button").focus({ preventScroll: true });
  };

  const listen = () => {
    if (source) return;
    source = new EventSource("/_run/events");
    source.addEventListener("state", (event) => {
      const state = JSON.parse(event.data);
      if (!state.live) return;
      if (version !== undefined && state.version !== version) location.reload();
      else if (shown !== undefined) { if (state.id !== shown) location.reload(); }
      else if (state.problems.length > 0) show(state.problems);
      else { dismissed = undefined; hide(); }
    });
  };
  // A browser opens only a few connections to one server, so pages that nobody sees give theirs back.
  const hush = () => { if (source) { source.close(); source = undefined; } };
  document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listen()));
  addEventListener("pagehide", hush);
  addEventListener("pageshow", () => { if (!document.hidden) listen(); });
  if (!document.hidden) listen();
})();
