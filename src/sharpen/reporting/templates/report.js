"use strict";
(() => {
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (prefersDark.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });
  prefersDark.addEventListener("change", nameTheme);
  nameTheme();

  const list = document.getElementById("case-list");
  if (!list) return;
  const rows = Array.from(list.querySelectorAll("details"));
  const chips = Array.from(document.querySelectorAll("[data-view]"));
  const kind = document.getElementById("kind");
  const split = document.getElementById("split");
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const none = document.getElementById("none");
  const openAll = document.getElementById("open-all");
  document.getElementById("tools").hidden = false;
  openAll.hidden = false;

  const texts = new Map();
  const textOf = (row) => {
    let text = texts.get(row);
    if (text === undefined) { text = row.textContent.toLowerCase(); texts.set(row, text); }
    return text;
  };
  let view = "all";
  const matches = (row, words) =>
    (view === "all" || row.dataset.state === view || row.dataset.change === view) &&
    (!kind || !kind.value || row.dataset.kinds.split(" ").includes(kind.value)) &&
    (!split || !split.value || row.dataset.split === split.value) &&
    words.every((word) => textOf(row).includes(word));
  const visible = () => rows.filter((row) => !row.hidden);

  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const match = matches(row, words);
      row.hidden = !match;
      if (match) count += 1;
    }
    shown.textContent = count === rows.length ? `${count} cases` : `${count} of ${rows.length} cases`;
    none.hidden = count > 0;
    nameOpenAll();
  };
  const nameOpenAll = () => {
    openAll.textContent = visible().some((row) => !row.open) ? "Open all shown" : "Close all shown";
  };
  const choose = (name) => {
    view = name;
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chip.dataset.view === name));
    apply();
  };
  for (const chip of chips) chip.addEventListener("click", () => choose(chip.dataset.view));
  for (const select of [kind, split]) if (select) select.addEventListener("change", apply);
  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(apply, 90); });
  openAll.addEventListener("click", () => {
    const open = visible().some((row) => !row.open);
    for (const row of visible()) row.open = open;
    nameOpenAll();
  });

  const move = (step) => {
    const candidates = visible();
    if (!candidates.length) return;
    const here = candidates.indexOf(document.activeElement.closest("details.case"));
    const next = here < 0 ? (step > 0 ? 0 : candidates.length - 1) : here + step;
    const row = candidates[Math.min(candidates.length - 1, Math.max(0, next))];
    row.firstElementChild.focus({ preventScroll: true });
    row.firstElementChild.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    const inList = event.target.closest && event.target.closest("#case-list summary");
    if (event.target === search && event.key === "Escape") { search.value = ""; apply(); search.blur(); return; }
    if (event.target === search && event.key === "ArrowDown") { event.preventDefault(); move(1); return; }
    if (typing) return;
    if (event.key === "/") { event.preventDefault(); search.focus(); search.select(); }
    else if (event.key === "j" || (inList && event.key === "ArrowDown")) { event.preventDefault(); move(1); }
    else if (event.key === "k" || (inList && event.key === "ArrowUp")) { event.preventDefault(); move(-1); }
  });
  apply();
})();
