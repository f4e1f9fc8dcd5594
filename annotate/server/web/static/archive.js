/* The page of the archive: folders, videos and moments. */

import { makeSelection } from "/static/selection.js";
import { VIDEO_HEADS, ask, clickHandler, clock, emotionOf, listen, make, number, percent, post, swatch, tableOf, videoRow, word } from "/static/common.js";

const PAGE = 200;
const MAX_CLIPS = 200;
const TYPING_DELAY_MS = 250;
const RELOAD_DELAY_MS = 1500;
const filters = document.getElementById("filters");
const list = document.getElementById("list");
const more = document.getElementById("more");
const tree = document.getElementById("tree");
const notice = document.getElementById("notice");
const tabs = { videos: document.getElementById("tab-videos"), moments: document.getElementById("tab-moments") };
const selection = makeSelection({ done: showNotice });
list.before(selection.bar);
const FILTERS = ["q", "emotion", "state", "min_confidence", "min_seconds", "person"];
let state = stateFromUrl();
let requests = 0;
let body = null;
let limit = PAGE;

function stateFromUrl() {
  const query = new URLSearchParams(location.search);
  const found = { folder: query.get("folder") || "", view: query.get("view") === "moments" ? "moments" : "videos" };
  for (const name of FILTERS) found[name] = query.get(name) || "";
  return found;
}

function urlOf(values) {
  const query = new URLSearchParams();
  for (const name of ["folder", ...FILTERS]) if (values[name]) query.set(name, values[name]);
  if (values.view === "moments") query.set("view", "moments");
  const text = query.toString();
  return text ? `/archive?${text}` : "/archive";
}

/* Confidence is a share of 1 in URLs and in the API, which take percentages too, and a percentage in the form. */
function toInput(name, value) {
  return name === "min_confidence" && value ? String(Number((value > 1 ? Number(value) : 100 * value).toFixed(2))) : value;
}

function fromInput(name, value) {
  return name === "min_confidence" && value ? String(Math.min(100, Math.max(0, Number(value))) / 100) : value;
}

function showNotice(text) {
  notice.textContent = text;
  notice.hidden = false;
}

function go(change, { replace = false } = {}) {
  if ("folder" in change || "view" in change) notice.hidden = true;
  state = { ...state, ...change };
  history[replace ? "replaceState" : "pushState"](null, "", urlOf(state));
  limit = PAGE;
  show();
}

addEventListener("popstate", () => {
  state = stateFromUrl();
  limit = PAGE;
  show();
});

function queryOf(names, extra = {}) {
  const query = new URLSearchParams(extra);
  for (const name of names) if (state[name]) query.set(name, state[name]);
  return query.toString();
}

/* Shows the current state; outdated responses are ignored. */
async function show() {
  const request = ++requests;
  const isMoments = state.view === "moments";
  for (const name of FILTERS) {
    const input = filters.elements[name];
    if (document.activeElement !== input) input.value = toInput(name, state[name]);
  }
  for (const [name, tab] of Object.entries(tabs)) {
    tab.setAttribute("aria-selected", String(name === state.view));
    tab.tabIndex = name === state.view ? 0 : -1;
  }
  for (const label of document.querySelectorAll(".for-videos")) label.hidden = isMoments;
  for (const label of document.querySelectorAll(".for-moments")) label.hidden = !isMoments;
  try {
    const archive = await ask(`/archive?${queryOf(["folder", "q", "emotion", "state"], { limit })}`);
    const moments = isMoments
      ? await ask(`/moments?${queryOf(["folder", "q", "emotion", "min_confidence", "min_seconds", "person"], { source: "archive", limit })}`)
      : null;
    if (request !== requests) return;
    showHeading(archive);
    if (moments) showMoments(moments);
    else showVideos(archive);
    await showTree();
  } catch (error) {
    if (request !== requests) return;
    body = null;
    list.replaceChildren(make("p", { class: "empty", text: error.status === 404 ? word("emptyFolder") : error.message }));
  }
}

function showHeading(archive) {
  document.getElementById("folder-name").textContent = state.folder.split("/").pop() || tree.dataset.name;
  const { states } = archive;
  const total = Object.values(states).reduce((sum, count) => sum + count, 0);
  const parts = Object.entries(states).map(([name, count]) => `${number(count)}\u00a0${word(name)}`);
  for (const key of ["damaged", "older"]) if (archive[key]) parts.push(word(`${key}Count`, { number: number(archive[key]) }));
  document.getElementById("summary").textContent = archive.is_complete ? (total ? parts.join(" · ") : "") : word("looking");
  if (!states.waiting && !states.running) notice.hidden = true;
  document.getElementById("annotate").hidden = !(states.missing || states.stale);
  const problems = document.getElementById("problems");
  problems.hidden = !archive.problems.length;
  problems.querySelector("ul").replaceChildren(...archive.problems.map((text) => make("li", { text })));
}

function isSearch() {
  return Boolean(state.q || state.emotion || state.state);
}

function showVideos(archive) {
  const videos = tableOf(VIDEO_HEADS, word("videos"));
  selection.keep(new Set(archive.videos.map(({ id }) => id)));
  body = videos.body;
  for (const folder of archive.folders) body.append(folderRow(folder));
  for (const video of archive.videos) body.append(videoRow(video, { withFolder: isSearch(), selection }));
  const emptyText = isSearch() ? word("nothingFound") : archive.is_complete ? word("emptyFolder") : word("looking");
  list.replaceChildren(body.rows.length ? videos.table : make("p", { class: "empty", text: emptyText }));
  more.hidden = archive.total <= archive.videos.length;
}

function folderRow(folder) {
  const link = make("a", { href: urlOf({ folder: folder.folder, view: state.view }), text: `${folder.name}/`, dir: "auto" });
  link.addEventListener("click", (event) => follow(event, folder.folder));
  const cell = make("td", { class: "row-state", colspan: 5 }, make("span", { class: "hint", text: longCountsOf(folder) }));
  return make("tr", {}, make("td", { class: "row-name" }, link), cell);
}

function longCountsOf(folder) {
  return word("folderCounts", { done: number(folder.states.annotated || 0), all: number(folder.videos) });
}

function countsOf(folder) {
  const done = folder.states.annotated || 0;
  return done < folder.videos ? `${number(done)} / ${number(folder.videos)}` : number(folder.videos);
}

function follow(event, folder) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go({ folder, q: "", state: "" });
}

/* The face in the middle of a moment. */
function pictureOf({ id, face_id: face, start_s: start, end_s: end }) {
  const src = `/api/videos/${id}/moments/${face}/${Math.round(500 * (start + end))}`;
  const picture = make("img", { class: "moment", src, alt: "", width: 36, height: 36, loading: "lazy" });
  picture.addEventListener("error", () => picture.classList.add("missing"));
  return picture;
}

/* Links to files with all moments; clips are cut while they are sent, and only of so many. */
function exportLinks(total) {
  const names = ["folder", "q", "emotion", "min_confidence", "min_seconds", "person"];
  const file = (path, more, key) => make("a", { href: `/api/moments/${path}?${queryOf(names, { source: "archive", ...more })}`, download: "", text: word(key) });
  const link = (format, key) => file("export", { format }, key);
  const clips = total <= MAX_CLIPS ? [" ", file("clips.zip", {}, "exportClips")] : [];
  return make("span", { class: "exports" }, link("csv", "exportCsv"), " ", link("edl", "exportEdl"), " ", link("otio", "exportOtio"), ...clips);
}

function showMoments({ moments, total }) {
  body = null;
  selection.keep(new Set());
  const heads = [["name"], ["emotion"], ["from", "number"], ["seconds", "number"], ["confidence", "number"]];
  const { table, body: rows } = tableOf(heads, word("moments"));
  table.classList.add("moments");
  for (const moment of moments) {
    const href = `/videos/${moment.id}#t=${moment.start_s}`;
    const details = [moment.folder, moment.person_name || (moment.person ? word("person", { number: moment.person }) : word("face", { number: moment.face_id }))].filter(Boolean).join(" · ");
    rows.append(
      make(
        "tr",
        {},
        make("td", { class: "row-name" }, pictureOf(moment), make("a", { href, text: moment.name, dir: "auto" }), make("div", { class: "hint", text: details })),
        make("td", { class: "row-mostly" }, swatch(moment.emotion), emotionOf(moment.emotion).word),
        make("td", { class: "number row-length", text: clock(moment.start_s, 1) }),
        make("td", { class: "number row-seconds", text: number(moment.end_s - moment.start_s, 1), "data-head": word("seconds") }),
        make("td", { class: "number row-confidence", text: percent(moment.confidence), "data-head": word("confidence") }),
      ),
    );
  }
  const count = make("p", { class: "hint", text: `${word("momentsCount", { number: number(total) })} ${word("momentsHint")} ` }, moments.length ? exportLinks(total) : null);
  list.replaceChildren(count, moments.length ? table : make("p", { class: "empty", text: word("nothingFound") }));
  more.hidden = total <= moments.length;
}

/* The folder tree: open folders stay open, and subfolders are loaded when their folder is opened. */
const open = new Set([""]);

async function showTree() {
  const parts = state.folder ? state.folder.split("/") : [];
  parts.forEach((_, index) => open.add(parts.slice(0, index + 1).join("/")));
  const root = await branchOf({ folder: "", name: tree.dataset.name }, true);
  const focused = tree.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  tree.replaceChildren(make("ul", {}, root));
  if (focused) tree.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

async function branchOf(folder, isRoot = false) {
  let subfolders = [];
  let counts = folder.states ? countsOf(folder) : "";
  let title = folder.states ? longCountsOf(folder) : null;
  if (open.has(folder.folder)) {
    const answer = await ask(`/archive?${new URLSearchParams({ folder: folder.folder, limit: 1 })}`).catch(() => null);
    subfolders = answer ? answer.folders : [];
    if (isRoot && answer) {
      const whole = { states: answer.states, videos: Object.values(answer.states).reduce((sum, one) => sum + one, 0) };
      counts = countsOf(whole);
      title = longCountsOf(whole);
    }
  }
  const isOpen = open.has(folder.folder);
  const canOpen = folder.has_folders || subfolders.length > 0;
  const toggle = make("button", {
    type: "button",
    class: canOpen ? "" : "leaf",
    "aria-expanded": String(isOpen),
    "aria-label": folder.name,
    "data-key": `toggle ${folder.folder}`,
    tabindex: canOpen ? null : -1,
    onclick: () => {
      if (isOpen) open.delete(folder.folder);
      else open.add(folder.folder);
      showTree();
    },
  });
  const link = make("a", { href: urlOf({ folder: folder.folder, view: state.view }), "data-key": folder.folder, dir: "auto" });
  link.append(make("span", { text: isRoot ? word("whole") : folder.name }), make("span", { class: "hint", text: counts, title }));
  if (folder.folder === state.folder) link.setAttribute("aria-current", "true");
  link.addEventListener("click", (event) => follow(event, folder.folder));
  const branches = await Promise.all(subfolders.map((each) => branchOf(each)));
  return make("li", {}, make("div", {}, isRoot ? null : toggle, link), branches.length ? make("ul", {}, ...branches) : null);
}

let timer = 0;
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const change = Object.fromEntries(FILTERS.map((name) => [name, fromInput(name, filters.elements[name].value.trim())]));
    go(change, { replace: true });
  }, TYPING_DELAY_MS);
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
  limit = Math.min(1000, limit + PAGE);
  show();
});
document.getElementById("annotate").addEventListener(
  "click",
  clickHandler(async () => {
    const { ordered } = await post(`/archive/annotate?${queryOf(["folder"])}`);
    await show();
    showNotice(word("ordered", { number: number(ordered) }));
  }),
);
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  filters.elements.q.focus();
});
if (matchMedia("(max-width: 52rem)").matches) document.querySelector(".tree").open = false;

/* A changed video is updated immediately; counts and new files follow after a short delay. */
const states = new Map();
let reloadTimer = 0;

function showLater() {
  if (!reloadTimer) {
    reloadTimer = setTimeout(() => {
      reloadTimer = 0;
      if (!document.hidden) show();
    }, RELOAD_DELAY_MS);
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
