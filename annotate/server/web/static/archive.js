/* The archive: its tree, its videos, and moments in them. */

import { VIDEO_HEADS, ask, clock, emotionOf, listen, make, number, percent, post, swatch, tableOf, videoRow, word } from "/static/common.js";

const PAGE = 200;
const TYPING_MS = 250;
const RELOAD_MS = 1500;
const filters = document.getElementById("filters");
const list = document.getElementById("list");
const more = document.getElementById("more");
const tree = document.getElementById("tree");
const told = document.getElementById("told");
const tabs = { videos: document.getElementById("tab-videos"), moments: document.getElementById("tab-moments") };
const NAMES = ["q", "emotion", "state", "min_confidence", "min_seconds"];
let state = fromAddress();
let asked = 0;
let body = null;
let length = PAGE;

function fromAddress() {
  const query = new URLSearchParams(location.search);
  const found = { folder: query.get("folder") || "", view: query.get("view") === "moments" ? "moments" : "videos" };
  for (const name of NAMES) found[name] = query.get(name) || "";
  return found;
}

function addressOf(what) {
  const query = new URLSearchParams();
  for (const name of ["folder", ...NAMES]) if (what[name]) query.set(name, what[name]);
  if (what.view === "moments") query.set("view", "moments");
  const text = query.toString();
  return text ? `/archive?${text}` : "/archive";
}

function go(change, { replace = false } = {}) {
  state = { ...state, ...change };
  history[replace ? "replaceState" : "pushState"](null, "", addressOf(state));
  length = PAGE;
  show();
}

addEventListener("popstate", () => {
  state = fromAddress();
  length = PAGE;
  show();
});

function queryOf(names, further = {}) {
  const query = new URLSearchParams(further);
  for (const name of names) if (state[name]) query.set(name, state[name]);
  return query.toString();
}

/* Shows what the address says; answers that come too late are left out. */
async function show() {
  const mine = ++asked;
  const isMoments = state.view === "moments";
  for (const name of NAMES) if (document.activeElement !== filters.elements[name]) filters.elements[name].value = state[name];
  for (const [name, tab] of Object.entries(tabs)) {
    tab.setAttribute("aria-selected", String(name === state.view));
    tab.tabIndex = name === state.view ? 0 : -1;
  }
  for (const label of document.querySelectorAll(".for-videos")) label.hidden = isMoments;
  for (const label of document.querySelectorAll(".for-moments")) label.hidden = !isMoments;
  try {
    const archive = await ask(`/archive?${queryOf(["folder", "q", "emotion", "state"], { limit: length })}`);
    const moments = isMoments
      ? await ask(`/moments?${queryOf(["folder", "q", "emotion", "min_confidence", "min_seconds"], { source: "archive", limit: length })}`)
      : null;
    if (mine !== asked) return;
    showPlace(archive);
    if (moments) showMoments(moments);
    else showVideos(archive);
    await showTree();
  } catch (error) {
    if (mine !== asked) return;
    body = null;
    list.replaceChildren(make("p", { class: "empty", text: error.status === 404 ? word("emptyFolder") : error.message }));
  }
}

function showPlace(archive) {
  document.getElementById("place").textContent = state.folder.split("/").pop() || tree.dataset.name;
  const { states } = archive;
  const total = Object.values(states).reduce((sum, count) => sum + count, 0);
  const parts = Object.entries(states).map(([name, count]) => `${number(count)} ${word(name)}`);
  document.getElementById("summary").textContent = archive.is_complete ? (total ? parts.join(" · ") : "") : word("looking");
  document.getElementById("annotate").hidden = !(states.missing || states.stale);
  const problems = document.getElementById("problems");
  problems.hidden = !archive.problems.length;
  problems.querySelector("ul").replaceChildren(...archive.problems.map((text) => make("li", { text })));
}

function isSearch() {
  return Boolean(state.q || state.emotion || state.state);
}

function showVideos(archive) {
  const made = tableOf(VIDEO_HEADS, word("videos"));
  body = made.body;
  for (const folder of archive.folders) body.append(folderRow(folder));
  for (const video of archive.videos) body.append(videoRow(video, { withFolder: isSearch() }));
  const none = isSearch() ? word("nothingFound") : archive.is_complete ? word("emptyFolder") : word("looking");
  list.replaceChildren(body.rows.length ? made.table : make("p", { class: "empty", text: none }));
  more.hidden = archive.total <= archive.videos.length;
}

function folderRow(folder) {
  const link = make("a", { href: addressOf({ folder: folder.folder, view: state.view }), text: `${folder.name}/`, dir: "auto" });
  link.addEventListener("click", (event) => follow(event, folder.folder));
  const cell = make("td", { class: "row-state", colspan: 5 }, make("span", { class: "hint", text: longCountsOf(folder) }));
  return make("tr", {}, make("td", { class: "row-name" }, link), cell);
}

function longCountsOf(folder) {
  return word("folderCounts", { done: number(folder.states.annotated || 0), all: number(folder.videos) });
}

function countsOf(folder) {
  const done = folder.states.annotated || 0;
  const open = folder.videos - done;
  return open ? `${number(done)} / ${number(folder.videos)}` : number(folder.videos);
}

function follow(event, folder) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go({ folder, q: "", state: "" });
}

function showMoments({ moments, total }) {
  body = null;
  const heads = [["name"], ["emotion"], ["from", "number"], ["seconds", "number"], ["confidence", "number"]];
  const { table, body: rows } = tableOf(heads, word("moments"));
  table.classList.add("moments");
  for (const moment of moments) {
    const href = `/videos/${moment.id}#t=${moment.start_s}`;
    const where = [moment.folder, word("face", { number: moment.face_id })].filter(Boolean).join(" · ");
    rows.append(
      make(
        "tr",
        {},
        make("td", { class: "row-name" }, make("a", { href, text: moment.name, dir: "auto" }), make("div", { class: "hint", text: where })),
        make("td", { class: "row-mostly" }, swatch(moment.emotion), emotionOf(moment.emotion).word),
        make("td", { class: "number row-length", text: clock(moment.start_s, 1) }),
        make("td", { class: "number row-seconds", text: number(moment.end_s - moment.start_s, 1) }),
        make("td", { class: "number row-confidence", text: percent(moment.confidence) }),
      ),
    );
  }
  const count = make("p", { class: "hint", text: `${word("momentsCount", { number: number(total) })}. ${word("momentsHint")}` });
  list.replaceChildren(count, moments.length ? table : make("p", { class: "empty", text: word("nothingFound") }));
  more.hidden = total <= moments.length;
}

/* The tree: what is open stays open; a folder's own are asked for when it is opened. */
const open = new Set([""]);

async function showTree() {
  const above = [""];
  for (const part of state.folder ? state.folder.split("/") : []) above.push(above[above.length - 1] ? `${above[above.length - 1]}/${part}` : part);
  above.forEach((folder) => open.add(folder));
  const root = await branchOf({ folder: "", name: tree.dataset.name }, true);
  const focused = tree.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  tree.replaceChildren(make("ul", {}, root));
  if (focused) tree.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

async function branchOf(folder, isRoot = false) {
  let inside = [];
  let counts = folder.states ? countsOf(folder) : "";
  let title = folder.states ? longCountsOf(folder) : null;
  if (open.has(folder.folder)) {
    const answer = await ask(`/archive?${new URLSearchParams({ folder: folder.folder, limit: 1 })}`).catch(() => null);
    inside = answer ? answer.folders : [];
    if (isRoot && answer) {
      const whole = { states: answer.states, videos: Object.values(answer.states).reduce((sum, one) => sum + one, 0) };
      counts = countsOf(whole);
      title = longCountsOf(whole);
    }
  }
  const isOpen = open.has(folder.folder);
  const mayOpen = folder.has_folders || inside.length > 0;
  const toggle = make("button", {
    type: "button",
    class: mayOpen ? "" : "leaf",
    "aria-expanded": String(isOpen),
    "aria-label": folder.name,
    "data-key": `toggle ${folder.folder}`,
    tabindex: mayOpen ? null : -1,
    onclick: () => {
      if (isOpen) open.delete(folder.folder);
      else open.add(folder.folder);
      showTree();
    },
  });
  const link = make("a", { href: addressOf({ folder: folder.folder, view: state.view }), "data-key": folder.folder, dir: "auto" });
  link.append(make("span", { text: isRoot ? word("whole") : folder.name }), make("span", { class: "hint", text: counts, title }));
  if (folder.folder === state.folder) link.setAttribute("aria-current", "true");
  link.addEventListener("click", (event) => follow(event, folder.folder));
  const branches = await Promise.all(inside.map((each) => branchOf(each)));
  return make("li", {}, make("div", {}, isRoot ? null : toggle, link), branches.length ? make("ul", {}, ...branches) : null);
}

let timer = 0;
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const change = Object.fromEntries(NAMES.map((name) => [name, filters.elements[name].value.trim()]));
    go(change, { replace: true });
  }, TYPING_MS);
});
for (const [name, tab] of Object.entries(tabs)) {
  tab.addEventListener("click", () => go({ view: name }));
  tab.addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    const other = name === "videos" ? "moments" : "videos";
    tabs[other].focus();
    go({ view: other });
  });
}
more.addEventListener("click", () => {
  length = Math.min(1000, length + PAGE);
  show();
});
document.getElementById("annotate").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  button.disabled = true;
  try {
    const { ordered } = await post(`/archive/annotate?${queryOf(["folder"])}`);
    told.textContent = word("ordered", { number: number(ordered) });
    told.hidden = false;
    await show();
  } catch (error) {
    alert(error.message);
  } finally {
    button.disabled = false;
  }
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  filters.elements.q.focus();
});
if (matchMedia("(max-width: 52rem)").matches) document.querySelector(".tree").open = false;

/* A video that changes is shown at once; counts follow a little later, and new files when they are found. */
const states = new Map();
let later = 0;

function showLater() {
  if (!later) {
    later = setTimeout(() => {
      later = 0;
      if (!document.hidden) show();
    }, RELOAD_MS);
  }
}

listen(
  (video) => {
    const row = body && body.querySelector(`tr[data-id="${CSS.escape(video.id)}"]`);
    if (row && video.state !== "removed") row.fill(video);
    if (video.source === "archive" && states.get(video.id) !== video.state) showLater();
    states.set(video.id, video.state);
  },
  () => show(),
  { archive: showLater },
);
