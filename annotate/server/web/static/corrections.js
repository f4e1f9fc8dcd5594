/* Corrections of a video: a segment is selected on the timeline, and gets another emotion, other edges, or a confirmation. */

import { ask, clock, emotionOf, make, percent, word } from "/static/common.js";
import { parseTime, Segments, stored } from "/static/segments.js";

const EXCLUDE = "exclude";
const STEP_MS = 100;
const NEAR_MS = 10; // times nearer to an edge are that edge: players show a frame a little after its time
const AUTHOR_KEY = "annotate.author";
const section = document.getElementById("corrections");
let path = "";
let player = null;
let changed = async () => {};
let segments = null;
let selected = null;
let pending = null;
let queue = Promise.resolve();
let controls = null;
let drag = Promise.resolve();

/* Returns a promise that is resolved when no edge is being dragged. */
export const settled = () => drag;

/* Shows the review of the video in a player (null: none); `reload` loads its data again. */
export async function showCorrections(videoPath, shownPlayer, reload) {
  path = videoPath;
  player = shownPlayer;
  changed = reload;
  if (player && segments) attach();
  const found = player && (await ask(`${path}/corrections?author=${encodeURIComponent(author())}`).catch(() => null));
  section.hidden = !found || !found.segments.length;
  if (section.hidden || !player) return;
  segments = segments || new Segments(path);
  if (!controls) build();
  show(found);
  attach();
}

function author() {
  return controls ? controls.author.value.trim() : stored(AUTHOR_KEY);
}

function wordOf(emotion) {
  return emotion === EXCLUDE ? word("excluded") : emotionOf(emotion).word;
}

const time = (ms) => clock(ms / 1000, 2);

function show(review) {
  segments.fill(review);
  selected = selected && segments.at([selected.face], (selected.start + selected.end) / 2);
  describe();
}

function select(segment) {
  selected = segment;
  if (segment) segments.visit(segment);
  draw();
  describe();
}

/* --- the timeline --- */

const rowOf = (face) => player.timeline.rows.findIndex((row, number) => number && row.lanes[0].faces.includes(face));

function attach() {
  const { timeline } = player;
  timeline.rows.forEach((row, number) => {
    const faces = row.lanes.flatMap((lane) => lane.faces);
    const starts = segments.all.filter((one) => faces.includes(one.face)).map((one) => one.start);
    row.changes = [...new Set(starts)].sort((a, b) => a - b);
    if (row.isAttached) return;
    row.isAttached = true;
    if (!number) return;
    row.track.addEventListener("pointerdown", (event) => {
      if (event.button === 0) select(segments.at(faces, timeline.timeAt(event, row.track)));
    });
  });
  if (!timeline.isAttached) timeline.element.addEventListener("keydown", onTimelineKey);
  timeline.isAttached = true;
  draw();
}

/* Draws what is excluded, and the selected segment with its edges. */
function draw() {
  const { timeline } = player;
  for (const old of timeline.element.querySelectorAll(".fix-excluded, .fix-selected")) old.remove();
  for (const segment of segments.all) if (segment.emotion === EXCLUDE) place("fix-excluded", segment);
  if (!selected) return;
  const box = place("fix-selected", selected);
  if (!box) return;
  for (const edge of ["start", "end"]) {
    const handle = make("span", { class: "fix-edge", "data-edge": edge });
    handle.addEventListener("pointerdown", (event) => onEdgePress(event, edge, box));
    box.append(handle);
  }
}

function place(name, segment) {
  const row = player.timeline.rows[rowOf(segment.face)];
  if (!row) return null;
  const box = make("div", { class: name, "aria-hidden": "true" });
  setEdges(box, segment.start, segment.end);
  row.track.append(box);
  return box;
}

function setEdges(box, start, end) {
  const { endMs } = player.timeline;
  box.style.left = `${(100 * start) / endMs}%`;
  box.style.width = `${(100 * (end - start)) / endMs}%`;
}

function onEdgePress(event, edge, box) {
  if (event.button !== 0) return;
  event.preventDefault();
  event.stopPropagation();
  const [low, high] = segments.limits(selected, edge);
  const ended = new AbortController();
  let at = selected[edge];
  const onMove = (moved) => {
    moved.stopPropagation();
    const { timeline } = player;
    at = Math.min(Math.max(timeline.timeAt(moved, timeline.rows[rowOf(selected.face)].track), low), high);
    setEdges(box, edge === "start" ? at : selected.start, edge === "end" ? at : selected.end);
    player.seek(at);
  };
  /* The whole page listens, since what was saved before may draw the edge anew meanwhile. */
  const options = { capture: true, signal: ended.signal };
  drag = new Promise((resolve) => ended.signal.addEventListener("abort", resolve, { once: true }));
  document.addEventListener("pointermove", onMove, options);
  document.addEventListener("pointerup", () => { ended.abort(); moveEdge(edge, at); }, options);
  document.addEventListener("pointercancel", () => { ended.abort(); draw(); }, options);
}

function selectAtTime() {
  const { timeline } = player;
  const faces = timeline.rows[timeline.selected].lanes.flatMap((lane) => lane.faces);
  select(segments.at(faces, timeline.nowMs));
}

const nearby = (ms) => NEAR_MS * Math.round(ms / NEAR_MS);

function onTimelineKey(event) {
  if (event.target.closest("button")) return;
  if (event.ctrlKey || event.metaKey) return onUndoKey(event);
  if (event.altKey) return;
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  const emotions = player.timeline.data.emotions;
  const now = nearby(player.timeline.nowMs);
  if (/^(Arrow|Home|End)/.test(event.key)) return selectAtTime();
  if (digit && Number(digit[1]) <= emotions.length) choose(Number(digit[1]) ? emotions[digit[1] - 1].name : EXCLUDE);
  else if (event.key === "Enter") confirmSegment();
  else if (event.code === "BracketLeft") moveEdge("start", now);
  else if (event.code === "BracketRight") moveEdge("end", now);
  else if (event.code === "Comma") player.seek(Math.max(0, now - STEP_MS));
  else if (event.code === "Period") player.seek(Math.min(player.timeline.endMs, now + STEP_MS));
  else if (event.code === "KeyS") divide();
  else if (event.code === "KeyN") goToUnsure();
  else return;
  event.preventDefault();
}

function onUndoKey(event) {
  if (event.target.matches("input")) return;
  const isRedo = event.code === "KeyY" || (event.code === "KeyZ" && event.shiftKey);
  if (!isRedo && event.code !== "KeyZ") return;
  event.preventDefault();
  step(isRedo ? "redo" : "undo");
}

/* --- what can be done --- */

function choose(emotion) {
  if (selected) save({ face: selected.face, start: selected.start, end: selected.end, emotion });
  else say(word("noSegment"));
}

function confirmSegment() {
  choose(selected && selected.emotion);
}

/* What an edge passes over gets the emotion of the selected segment; what it leaves, that of its neighbor, or none. */
function moveEdge(edge, wanted) {
  if (!selected) return say(word("noSegment"));
  const old = selected[edge];
  const [low, high] = segments.limits(selected, edge);
  const at = Math.round(Math.min(Math.max(wanted, low), high));
  if (!(Math.abs(at - old) >= NEAR_MS)) return refresh();
  const neighbor = segments.neighbor(selected, edge);
  const moved = { ...selected, [edge]: at };
  if (segments.moveSplit(selected, edge, at)) {
    selected = moved;
    return refresh();
  }
  const isGrowing = edge === "end" ? at > old : at < old;
  const emotion = isGrowing ? selected.emotion : neighbor ? neighbor.emotion : EXCLUDE;
  const change = { face: selected.face, start: Math.min(at, old), end: Math.max(at, old), emotion };
  selected = moved;
  save(change);
}

/* Divides the selected segment at the current time; the part after it is then selected. */
function divide() {
  const now = nearby(player.timeline.nowMs);
  if (!selected || !segments.divide(selected, now)) return say(word("notInside"));
  selected = { ...selected, start: now };
  refresh();
}

function refresh() {
  show(segments.review);
  attach();
}

/* Selects the open segment of which the machine is least certain, of those that were not seen if there are any. */
function goToUnsure() {
  const next = segments.unsure(selected);
  if (!next) return say(word("allReviewed"));
  const { timeline } = player;
  const isFocused = timeline.element.contains(document.activeElement);
  const row = rowOf(next.face);
  timeline.select(row);
  player.seek(next.start);
  timeline.reveal([timeline.rows[row]]);
  if (isFocused) timeline.focus();
  select(next);
}

/* --- saving --- */

/* Saves a change at once, after those before it; without a name it waits until there is one. */
function save(change) {
  const note = controls.note.value;
  if (!author()) {
    pending = change;
    refresh();
    say(word("nameFirst"));
    controls.author.focus();
    return;
  }
  queue = queue.then(() => {
    const marks = [...new Set(segments.during(change).map((one) => one.correction).filter(Boolean))];
    const body = { face_id: change.face, start_s: change.start / 1000, end_s: change.end / 1000, emotion: change.emotion, author: author(), note, seen: marks };
    return send("", body, word("saved", wordsOf(change)), change);
  });
}

function step(kind) {
  queue = queue.then(() => (segments.review[kind] ? send(`/${kind}`, { author: author(), time: segments.review[kind] }, word(`${kind}ne`)) : null));
}

async function send(subpath, body, done, change = null) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  showConflict(null);
  try {
    show(await ask(`${path}/corrections${subpath}`, options));
    if (controls.note.value === body.note) controls.note.value = ""; // what was typed since is of the next change
    say(done);
  } catch (error) {
    const now = error.status === 409 && error.content.review;
    if (now) {
      show(now);
      if (change) showConflict(change);
    }
    if (!now || !change) say(error.message);
  }
  await changed();
}

const wordsOf = (change) => ({ emotion: wordOf(change.emotion), start: time(change.start), end: time(change.end) });

/* Shows what others decided about the span of a change that is not saved; null hides it. */
function showConflict(change) {
  const box = controls.conflict;
  if (!change) return box.replaceChildren();
  const theirs = segments.during(change).filter((one) => one.correction);
  const lines = theirs.map((one) => make("li", { dir: "auto", text: word("conflictLine", { ...wordsOf(one), author: one.author || word("nobody") }) }));
  const mine = make("button", { type: "button", class: "button plain", text: word("saveAnyway"), onclick: () => save(change) });
  const keep = make("button", { type: "button", class: "button plain", text: word("keepTheirs"), onclick: () => showConflict(null) });
  box.replaceChildren(make("p", { text: word("conflict", wordsOf(change)) }), make("ul", {}, ...lines), mine, keep);
}

function say(text) {
  controls.message.textContent = text;
}

/* --- the controls --- */

function build() {
  const button = (key, action, more = {}) => make("button", { type: "button", class: "button plain", text: word(key), "data-key": key, onclick: action, ...more });
  const field = (key, more = {}) => {
    const input = make("input", { "data-key": key, autocomplete: "off", ...more });
    return [make("label", {}, `${word(key)} `, input), input];
  };
  const [authorLabel, authorInput] = field("yourName", { maxlength: 100, dir: "auto", value: stored(AUTHOR_KEY) });
  const [startLabel, start] = field("segmentStart", { size: 9, inputmode: "decimal" });
  const [endLabel, end] = field("segmentEnd", { size: 9, inputmode: "decimal" });
  const [noteLabel, note] = field("note", { maxlength: 500, dir: "auto" });
  const emotions = player.timeline.data.emotions.map(({ name }) => name);
  const choices = [...emotions, EXCLUDE].map((name) => {
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = name === EXCLUDE ? "none" : emotionOf(name).colour;
    const text = name === EXCLUDE ? word("exclude") : wordOf(name);
    return make("button", { type: "button", class: "button plain", "data-choice": name, "aria-pressed": "false", onclick: () => choose(name) }, swatch, text);
  });
  const undo = button("undo", () => step("undo"));
  const redo = button("redo", () => step("redo"));
  controls = {
    author: authorInput,
    start,
    end,
    note,
    choices,
    undo,
    redo,
    bar: make("progress", { max: 1, value: 0 }),
    progress: make("p", { class: "hint", id: "review-progress" }),
    title: make("p", { class: "fix-title", role: "status", dir: "auto" }),
    message: make("p", { class: "fix-message", role: "status" }),
    conflict: make("div", { class: "fix-conflict", role: "alert" }),
  };
  controls.bar.setAttribute("aria-labelledby", "review-progress");
  const group = make("div", { class: "fix-row", role: "group", "aria-label": word("segmentEmotion") }, ...choices);
  const decide = make("div", { class: "fix-row" }, button("confirm", confirmSegment), startLabel, endLabel, button("divide", divide), noteLabel);
  const steps = make("div", { class: "fix-row" }, button("nextUnsure", goToUnsure), undo, redo, authorLabel);
  section.append(controls.bar, controls.progress, controls.title, group, decide, steps, controls.message, controls.conflict);
  section.addEventListener("keydown", (event) => (event.ctrlKey || event.metaKey) && onUndoKey(event));
  watchEdge("start");
  watchEdge("end");
  authorInput.addEventListener("change", onName);
  authorInput.addEventListener("keydown", (event) => event.key === "Enter" && onName());
}

function onName() {
  stored(AUTHOR_KEY, author());
  if (!author() || !pending) return;
  const change = pending;
  pending = null;
  save(change);
  player.focus();
}

/* A field of an edge: arrow keys change it by a step, Enter or leaving the field saves it, Escape takes it back. */
function watchEdge(edge) {
  const input = controls[edge];
  const apply = () => selected && Number.isFinite(parseTime(input.value)) && Math.abs(parseTime(input.value) - selected[edge]) >= NEAR_MS && moveEdge(edge, parseTime(input.value));
  input.addEventListener("blur", () => apply() || describe());
  input.addEventListener("keydown", (event) => {
    const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (event.key === "Enter") apply();
    else if (event.key === "Escape") describe(true);
    else if (direction && selected && Number.isFinite(parseTime(input.value))) {
      const [low, high] = segments.limits(selected, edge);
      const at = Math.min(Math.max(parseTime(input.value) + direction * STEP_MS, low), high);
      input.value = time(at);
      player.seek(at);
    } else return;
    event.preventDefault();
  });
}

/* Shows the selected segment, and how much is reviewed; a field that is being edited stays, except with `all`. */
function describe(all = false) {
  if (!controls) return;
  const { total, confirmed, corrected } = segments.review;
  controls.bar.value = total ? (confirmed + corrected) / total : 0;
  controls.progress.textContent = word("reviewProgress", { total, confirmed, corrected, seen: segments.all.filter((one) => segments.isSeen(one)).length });
  for (const kind of ["undo", "redo"]) controls[kind].setAttribute("aria-disabled", String(!segments.review[kind]));
  for (const choice of controls.choices) choice.setAttribute("aria-pressed", String(Boolean(selected) && choice.dataset.choice === selected.emotion));
  for (const edge of ["start", "end"]) {
    if (all || document.activeElement !== controls[edge]) controls[edge].value = selected ? time(selected[edge]) : "";
  }
  controls.title.textContent = selected ? sentenceOn(selected) : word("noSegment");
}

function sentenceOn(segment) {
  const face = player.timeline.rows[rowOf(segment.face)]?.name || word("face", { number: segment.face });
  const values = { ...wordsOf(segment), face, confidence: percent(segment.machine_confidence), machine: wordOf(segment.machine_emotion) };
  if (!segment.correction) return word("segmentOpen", values);
  return [word("segmentDecided", { ...values, author: segment.author || word("nobody") }), segment.note].filter(Boolean).join(" ");
}
