/* Sending videos, and seeing what becomes of them. */

import { VIDEO_HEADS, ask, listen, make, maxUploadBytes, size, tableOf, videoRow, word } from "/static/common.js";

const PAGE = 100;
const drop = document.getElementById("drop");
const list = document.getElementById("list");
const files = document.getElementById("files");
const { table, body } = tableOf(VIDEO_HEADS, word("videos"));
const waiting = [];
let current = null;
let shown = PAGE;

const more = make("button", { type: "button", class: "button plain", text: word("more"), onclick: () => { shown += PAGE; load(); } });
const empty = make("p", { class: "empty", text: word("nothingYet") });
list.append(table, empty, more);
document.getElementById("hint").textContent = word("dropHint", { size: size(maxUploadBytes) });

function rowOf(id) {
  return body.querySelector(`tr[data-id="${CSS.escape(id)}"]`);
}

function tidy() {
  const none = !body.rows.length;
  empty.hidden = !none;
  table.hidden = none;
}

async function load() {
  const { videos, total } = await ask(`/uploads?limit=${Math.min(1000, shown)}`);
  const known = new Set(videos.map((video) => video.id));
  for (const row of [...body.rows]) if (row.video && !known.has(row.dataset.id)) row.remove();
  for (const video of videos) {
    const row = rowOf(video.id) || videoRow(video);
    row.fill(video);
    body.append(row);
  }
  more.hidden = total <= shown;
  tidy();
}

listen(
  (video) => {
    if (video.state === "removed") {
      const row = rowOf(video.id);
      if (row) row.remove();
    } else if (video.source === "upload") {
      const row = rowOf(video.id);
      if (row) row.fill(video);
      else addAfterSending(videoRow(video));
    }
    tidy();
  },
  () => load().catch(() => {}),
);

/* Rows of files that are being sent stay on top. */
function addAfterSending(row) {
  const first = [...body.rows].find((each) => each.video);
  body.insertBefore(row, first || null);
}

/* A file that is to be sent: a row like those of videos. */
function sendingRow(file) {
  const state = make("td", { class: "row-state" }, make("span", { class: "state waiting", text: word("waiting") }));
  const actions = make("td", { class: "row-actions" });
  const name = make("td", { class: "row-name" }, make("span", { dir: "auto", text: file.name }));
  const row = make("tr", {}, name, state, make("td"), make("td", { class: "row-faces" }), make("td"), actions);
  const button = (text, onclick) => actions.replaceChildren(make("button", { type: "button", text: word(text), onclick }));
  row.say = (...parts) => state.replaceChildren(...parts);
  row.fail = (reason) => {
    row.say(make("span", { class: "state failed", text: word("failed") }), make("div", { class: "reason", text: reason }));
    button("remove", () => { row.remove(); tidy(); });
  };
  button("cancel", () => {
    const place = waiting.findIndex((each) => each.row === row);
    if (place >= 0) waiting.splice(place, 1);
    else if (current && current.row === row) current.request.abort();
    row.remove();
    tidy();
  });
  return row;
}

function add(chosen) {
  for (const file of chosen) {
    const row = sendingRow(file);
    addAfterSending(row);
    if (file.size > maxUploadBytes) row.fail(word("tooLarge", { name: file.name, size: size(maxUploadBytes) }));
    else waiting.push({ file, row });
  }
  tidy();
  sendNext();
}

function sendNext() {
  if (current || !waiting.length) return;
  const { file, row } = waiting.shift();
  const request = new XMLHttpRequest();
  current = { row, request };
  const bar = make("progress", { max: 1, value: 0, "aria-label": word("sending") });
  const text = make("span", { class: "reason" });
  row.say(make("span", { class: "state sending", text: word("sending") }), bar, text);
  request.upload.addEventListener("progress", (event) => {
    bar.value = event.loaded / event.total;
    text.textContent = word("sent", { done: size(event.loaded), size: size(event.total) });
  });
  request.addEventListener("load", () => {
    const answer = request.response || {};
    if (request.status === 201) {
      const known = rowOf(answer.id);
      if (known) row.remove();
      else row.replaceWith(videoRow(answer));
    } else row.fail(typeof answer.detail === "string" ? answer.detail : request.statusText);
  });
  request.addEventListener("error", () => row.fail(word("notTaken")));
  request.addEventListener("loadend", () => {
    current = null;
    tidy();
    sendNext();
  });
  request.open("PUT", `/api/uploads/${encodeURIComponent(file.name)}?modified_s=${Math.max(0, file.lastModified / 1000)}`);
  request.responseType = "json";
  request.send(file);
}

files.addEventListener("change", () => {
  add([...files.files]);
  files.value = "";
});
for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    if (!event.dataTransfer || ![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    drop.classList.add("over");
  });
}
addEventListener("dragleave", (event) => !event.relatedTarget && drop.classList.remove("over"));
addEventListener("drop", (event) => {
  if (!event.dataTransfer) return;
  event.preventDefault();
  drop.classList.remove("over");
  add([...event.dataTransfer.files]);
});
addEventListener("beforeunload", (event) => {
  if (current || waiting.length) event.preventDefault();
});
