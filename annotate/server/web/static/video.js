/* A video's result: the player, or how far it is; and what can be taken away. */

import { actionsOf, ask, clock, emotionOf, language, listen, make, number, post, progressOf, size, stateOf, word } from "/static/common.js";

const place = document.getElementById("player");
const id = place && place.dataset.video;
const path = `/videos/${id}`;
const LABELS = { csv: "CSV", srt: "SRT", vtt: "VTT", ass: "ASS", eaf: "ELAN", json: "JSON", textgrid: "TextGrid", audacity: "Audacity", otio: "OTIO" };
let player = null;
let mounted = "";
let latest = null;
let data = null;

if (id) listen(show, () => ask(path).then(show).catch(gone), { query: `?video=${id}` });

function gone() {
  document.getElementById("name").textContent = word("notThere");
  for (const part of ["state", "player", "downloads"]) document.getElementById(part).hidden = true;
}

async function show(video) {
  if (video.state === "removed") {
    gone();
    return;
  }
  const before = latest;
  latest = video;
  showFacts(video);
  showState(video);
  showDownloads(video);
  showProxy(video);
  const isNew = !before || before.state !== video.state;
  if (["annotated", "stale"].includes(video.state)) {
    if (isNew || !data) data = await ask(`${path}/player`).catch(() => null);
    mount(video);
  } else if (isNew) unmount();
}

function showFacts(video) {
  const facts = [video.folder, size(video.size_bytes)];
  if (video.duration_s !== null) facts.push(clock(video.duration_s));
  if (video.faces) facts.push(`${word("faces")}: ${number(video.faces)}`);
  if (video.emotion) facts.push(`${word("mostly")}: ${emotionOf(video.emotion).word}`);
  document.getElementById("facts").textContent = facts.filter(Boolean).join(" · ");
}

function showState(video) {
  const box = document.getElementById("state");
  const isQuiet = video.state === "annotated" && !video.reason;
  const actions = isQuiet ? [] : actionsOf(video);
  const key = JSON.stringify([isQuiet, video.state, video.reason, video.progress]);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.replaceChildren(...(isQuiet ? [] : [...stateOf(video), make("div", { class: "row-actions" }, ...actions)]));
}

function showDownloads(video) {
  const section = document.getElementById("downloads");
  section.hidden = !video.formats.length;
  const list = document.getElementById("formats");
  if (list.dataset.formats !== video.formats.join()) {
    list.dataset.formats = video.formats.join();
    const known = Object.keys(LABELS).filter((name) => video.formats.includes(name));
    const links = known.map((name) => {
      const href = `/api${path}/results/${name}?language=${language}`;
      return make("li", {}, make("a", { class: "button plain", href, download: "", text: LABELS[name] }));
    });
    list.replaceChildren(...links);
  }
  if (video.faces) showMade(document.getElementById("rendered"), video.rendered[language], "rendered", "makeRendered");
}

/* A copy that can be made: the way to ask for it, how far it is, or the way to it. */
function showMade(element, made, kind, key) {
  const state = JSON.stringify(made);
  if (element.dataset.state === state) return;
  element.dataset.state = state;
  const button = (text, action) => make("button", { type: "button", class: "button plain", text: word(text), onclick: action });
  const order = () => post(`${path}/made/${kind}?language=${language}`).then(show).catch((error) => alert(error.message));
  if (made.state === "done" && kind === "rendered") {
    const href = `/api${path}/made/rendered?language=${language}&download=true`;
    element.replaceChildren(make("a", { class: "button plain", href, download: "", text: word("rendered") }));
  } else if (["waiting", "running"].includes(made.state)) {
    const cancel = button("cancel", () => post(`${path}/cancel?what=${kind}&language=${language}`));
    const text = make("span", { class: `state ${made.state}`, text: `${word(key === "makeProxy" ? "makeProxy" : "rendered")}: ${word(made.state === "waiting" ? "waiting" : "making")}` });
    element.replaceChildren(text, ...(made.progress ? progressOf(made.progress) : []), make("div", { class: "row-actions" }, cancel));
  } else {
    const parts = [button(key, order)];
    if (made.state === "failed") parts.unshift(make("p", { text: word("madeFailed", { reason: made.reason }) }));
    element.replaceChildren(...parts);
  }
}

let cannotPlay = false;
const note = document.getElementById("proxy");

function showProxy(video) {
  if (!cannotPlay || video.proxy.state === "done") {
    note.hidden = true;
    return;
  }
  note.hidden = false;
  (place.querySelector(".ap-video") || place).append(note);
  if (!note.firstChild) note.append(make("span", { text: word("proxyHint") }), make("div"));
  showMade(note.lastChild, video.proxy, "proxy", "makeProxy");
}

function unmount() {
  if (player) player.destroy();
  player = null;
  mounted = "";
  place.replaceChildren();
}

function mount(video) {
  if (!data) {
    unmount();
    return;
  }
  const videoUrl = video.proxy.state === "done" ? `/api${path}/made/proxy` : `/api${path}/file`;
  if (mounted === videoUrl + video.state) return;
  if (player) player.destroy();
  mounted = videoUrl + video.state;
  cannotPlay = false;
  player = AnnotatePlayer.mount(place, data, { videoUrl, videoName: video.name, words: AnnotatePlayer.words[language] });
  jump();
}

/* Media events do not bubble, but are seen on their way down. */
if (place) {
  const judge = (event) => {
    if (!(event.target instanceof HTMLVideoElement)) return;
    cannotPlay = event.type === "error" || !event.target.videoWidth;
    if (latest) showProxy(latest);
  };
  place.addEventListener("error", judge, true);
  place.addEventListener("loadedmetadata", judge, true);
}

/* An address like #t=12.5 names a moment. */
function jump() {
  const match = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
  if (!match || !player) return;
  player.seek(Math.round(1000 * Number(match[1])));
  player.focus();
}
addEventListener("hashchange", jump);
