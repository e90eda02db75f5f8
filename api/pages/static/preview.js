/* Shows an edited draft while it is typed. The page does all of this with its Preview button too. */
(() => {
  "use strict";
  const form = document.getElementById("edit-form");
  const pane = document.getElementById("live-preview");
  if (!form || !pane) return;
  const field = form.elements.namedItem("markdown");
  const note = document.getElementById("live-note");
  let timer;
  let running;

  const refresh = async () => {
    running?.abort();
    running = new AbortController();
    const said = new URLSearchParams(new FormData(form));
    said.set("live", "1");
    pane.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.dataset.preview, {
        method: "POST",
        body: said,
        headers: { Accept: "text/html" },
        credentials: "same-origin",
        signal: running.signal,
      });
      if (answer.redirected) throw new Error("You are signed out. Copy your text and sign in again.");
      if (!answer.ok) throw new Error("The preview cannot be shown right now; your text is kept.");
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      pane.replaceChildren(...page.body.childNodes);
      // What the button showed is older than what is shown now.
      document.querySelectorAll("#preview > :is(.previewed, .tried)").forEach((old) => old.remove());
      note.textContent = "";
      form.classList.add("is-live");
    } catch (error) {
      if (error.name !== "AbortError") note.textContent = error.message;
      return;
    } finally {
      pane.removeAttribute("aria-busy");
    }
  };

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, 350);
  });
  const fold = form.closest("details");
  const begin = () => {
    if (fold.open && !pane.hasChildNodes() && !document.getElementById("preview")) refresh();
  };
  fold.addEventListener("toggle", begin);
  document.querySelectorAll('a[href="#edit-text"]').forEach((link) =>
    link.addEventListener("click", () => {
      fold.open = true;
      field.focus();
    }),
  );
  begin();
})();
