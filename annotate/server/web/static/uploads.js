/* The page of uploads and their progress. */

import { makeSelection } from "/static/selection.js";
import { VIDEO_HEADS, ask, errorText, listen, make, maxUploadBytes, size, tableOf, videoRow, word } from "/static/common.js";

const PAGE = 100;
const drop = document.getElementById("drop");
const list = document.getElementById("list");
const files = document.getElementById("files");
const { table, body } = tableOf(VIDEO_HEADS, word("uploads"));
const queue = [];
let current = null;
let limit = PAGE;

const more = make("button", { type: "button", class: "button plain", text: word("more"), onclick: () => { limit += PAGE; load(); } });
const empty = make("p", { class: "empty", text: word("nothingYet") });
const selection = makeSelection({ canRemove: true });
list.append(selection.bar, table, empty, more);
document.getElementById("hint").textContent = word("dropHint", { size: size(maxUploadBytes) });

function rowOf(id) {
  return body.querySelector(`tr[data-id="${CSS.escape(id)}"]`);
}

function updateEmpty() {
  const isEmpty = !body.rows.length;
  empty.hidden = !isEmpty;
  table.hidden = isEmpty;
}

async function load() {
  const { videos, total } = await ask(`/uploads?limit=${Math.min(1000, limit)}`);
  const known = new Set(videos.map((video) => video.id));
  for (const row of [...body.rows]) if (row.video && !known.has(row.dataset.id)) row.remove();
  selection.keep(known);
  for (const video of videos) {
    const row = rowOf(video.id) || videoRow(video, { selection });
    row.fill(video);
    body.append(row);
  }
  more.hidden = total <= limit;
  updateEmpty();
}

listen(
  (video) => {
    if (video.state === "removed") {
      const row = rowOf(video.id);
      if (row) row.remove();
      selection.keep(new Set([...body.rows].map((each) => each.dataset.id)));
      if (current) current.early.delete(video.id);
    } else if (video.source === "upload") {
      const row = rowOf(video.id);
      if (row) row.fill(video);
      else if (current && current.name === video.name) current.early.set(video.id, video);
      else insertRow(videoRow(video, { selection }));
    }
    updateEmpty();
  },
  () => load().catch(() => {}),
);

/* Inserts a row below those of files that are being uploaded. */
function insertRow(row) {
  const first = [...body.rows].find((each) => each.video);
  body.insertBefore(row, first || null);
}

/* A row of a file to be uploaded, with the methods `show(...parts)` and `fail(reason)`. */
function uploadRow(file) {
  const state = make("td", { class: "row-state" }, make("span", { class: "state waiting", text: word("waiting") }));
  const actions = make("td", { class: "row-actions" });
  const name = make("td", { class: "row-name" }, make("span", { dir: "auto", text: file.name }));
  const row = make("tr", {}, name, state, make("td"), make("td", { class: "row-faces" }), make("td"), actions);
  const button = (text, onclick) => actions.replaceChildren(make("button", { type: "button", text: word(text), onclick }));
  row.show = (...parts) => state.replaceChildren(...parts);
  row.fail = (reason) => {
    row.show(make("span", { class: "state failed", text: word("failed") }), make("div", { class: "reason", text: reason }));
    button("remove", () => { row.remove(); updateEmpty(); });
  };
  button("cancel", () => {
    const index = queue.findIndex((each) => each.row === row);
    if (index >= 0) queue.splice(index, 1);
    else if (current && current.row === row) current.request.abort();
    row.remove();
    updateEmpty();
  });
  return row;
}

function add(selected) {
  for (const file of selected) {
    const row = uploadRow(file);
    insertRow(row);
    if (file.size > maxUploadBytes) row.fail(word("tooLarge", { name: file.name, size: size(maxUploadBytes) }));
    else queue.push({ file, row });
  }
  updateEmpty();
  uploadNext();
}

function uploadNext() {
  if (current || !queue.length) return;
  const { file, row } = queue.shift();
  const request = new XMLHttpRequest();
  const early = new Map(); // uploads with this name whose event came first: this one, before the reply to its request
  current = { row, request, name: file.name, early };
  const bar = make("progress", { max: 1, value: 0, "aria-label": word("sending") });
  const text = make("span", { class: "reason" });
  row.show(make("span", { class: "state sending", text: word("sending") }), bar, text);
  request.upload.addEventListener("progress", (event) => {
    bar.value = event.loaded / event.total;
    text.textContent = word("sent", { done: size(event.loaded), size: size(event.total) });
  });
  request.addEventListener("load", () => {
    const content = request.response;
    if (request.status === 201) {
      row.remove();
      if (!early.has(content.id)) early.set(content.id, content);
    } else row.fail(errorText(content, request.status, request.statusText));
  });
  request.addEventListener("error", () => row.fail(word("uploadFailed")));
  request.addEventListener("loadend", () => {
    current = null;
    for (const video of early.values()) if (!rowOf(video.id)) insertRow(videoRow(video, { selection }));
    updateEmpty();
    uploadNext();
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
  if (current || queue.length) event.preventDefault();
});
