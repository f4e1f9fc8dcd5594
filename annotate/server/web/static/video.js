/* The page of a video: its state or the player, and downloads. */

import { actionsOf, ask, clickHandler, clock, emotionOf, language, listen, make, number, peopleOf, post, progressOf, remarksOn, size, stateOf, word } from "/static/common.js";

import { settled, showCorrections } from "/static/corrections.js";
import { showPersons } from "/static/persons.js";

const container = document.getElementById("player");
const id = container && container.dataset.video;
const path = `/videos/${id}`;
const LABELS = { csv: "CSV", srt: "SRT", vtt: "VTT", ass: "ASS", eaf: "ELAN", json: "JSON", textgrid: "TextGrid", audacity: "Audacity", otio: "OTIO" };
let player = null;
let mounted = "";
let latest = null;
let data = null;

if (id) listen(show, () => ask(path).then(show).catch(showFailure), { query: `?video=${id}` });

/* Events about the video follow, so a reply that is no document about it is only shown meanwhile. */
function showFailure(error) {
  if (error.status === 404) showNotFound();
  else document.getElementById("facts").textContent = error.message;
}

function showNotFound() {
  document.getElementById("name").textContent = word("notFound");
  for (const part of ["state", "player", "downloads"]) document.getElementById(part).hidden = true;
}

async function show(video) {
  if (video.state === "removed") {
    showNotFound();
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
    const isChanged = isNew || !data || before.version !== video.version;
    if (isChanged) {
      data = await ask(`${path}/player`).catch(() => null);
      await settled();
      if (latest.version !== video.version) return;
      showPersons(path, reload);
    }
    mount(video, isChanged);
    if (isChanged) await showCorrections(path, data && player, reload);
  } else if (isNew) unmount();
}

function showFacts(video) {
  const facts = [video.folder, size(video.size_bytes)];
  if (video.duration_s !== null) facts.push(clock(video.duration_s));
  if (video.faces) facts.push(`${word("faces")}: ${number(video.faces)}`);
  if (video.people) facts.push(peopleOf(video));
  if (video.emotion) facts.push(`${word("mostly")}: ${emotionOf(video.emotion).word}`);
  document.getElementById("facts").textContent = facts.filter(Boolean).join(" · ");
}

function showState(video) {
  const box = document.getElementById("state");
  const remarks = remarksOn(video);
  const isQuiet = video.state === "annotated" && !remarks.length;
  const actions = isQuiet ? [] : actionsOf(video);
  const key = JSON.stringify([isQuiet, video.state, remarks, video.progress]);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  const buttons = actions.length ? [make("div", { class: "row-actions" }, ...actions)] : [];
  box.replaceChildren(...(isQuiet ? [] : [...stateOf(video), ...buttons]));
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
  if (video.faces) showDerived(document.getElementById("rendered"), video.rendered[language], "rendered", "makeRendered");
}

/* Shows the state of a derived video: a button to make it, its progress, or a link to the file. */
function showDerived(element, derived, kind, key) {
  const state = JSON.stringify(derived);
  if (element.dataset.state === state) return;
  element.dataset.state = state;
  const button = (text, action) => make("button", { type: "button", class: "button plain", text: word(text), onclick: clickHandler(action) });
  const order = () => post(`${path}/made/${kind}?language=${language}`).then(show);
  if (derived.state === "done" && kind === "rendered") {
    const href = `/api${path}/made/rendered?language=${language}&download=true`;
    element.replaceChildren(make("a", { class: "button plain", href, download: "", text: word("rendered") }));
  } else if (["waiting", "running"].includes(derived.state)) {
    const cancel = button("cancel", () => post(`${path}/cancel?what=${kind}&language=${language}`));
    const text = make("span", { class: `state ${derived.state}`, text: `${word(kind)}: ${word(derived.state)}` });
    element.replaceChildren(text, ...(derived.progress ? progressOf(derived.progress) : []), make("div", { class: "row-actions" }, cancel));
  } else {
    const parts = [button(key, order)];
    if (derived.state === "failed") parts.unshift(make("p", { text: word("derivedFailed", { reason: derived.reason }) }));
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
  (container.querySelector(".ap-video") || container).append(note);
  if (!note.firstChild) note.append(make("span", { text: word("proxyHint") }), make("div"));
  showDerived(note.lastChild, video.proxy, "proxy", "makeProxy");
}

/* Shows what was said about persons or corrected. */
function reload() {
  return ask(path).then(show).catch(showFailure);
}

function unmount() {
  if (player) player.destroy();
  player = null;
  mounted = "";
  container.replaceChildren();
  showCorrections(path, null, reload);
}

function mount(video, isChanged) {
  if (!data) {
    unmount();
    return;
  }
  const videoUrl = video.proxy.state === "done" ? `/api${path}/made/proxy` : `/api${path}/file`;
  if (mounted === videoUrl + video.state) {
    if (isChanged) player.update(data);
    return;
  }
  if (player) player.destroy();
  mounted = videoUrl + video.state;
  cannotPlay = false;
  player = AnnotatePlayer.mount(container, data, { videoUrl, videoName: video.name, words: AnnotatePlayer.words[language] });
  seekToHash();
}

/* Media events do not bubble, so they are handled in the capture phase. */
if (container) {
  const updatePlayability = (event) => {
    if (!(event.target instanceof HTMLVideoElement)) return;
    cannotPlay = event.type === "error" || !event.target.videoWidth;
    if (latest) showProxy(latest);
  };
  container.addEventListener("error", updatePlayability, true);
  container.addEventListener("loadedmetadata", updatePlayability, true);
}

/* Seeks to the time in a URL fragment like #t=12.5. */
function seekToHash() {
  const match = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
  if (!match || !player) return;
  player.seek(Math.round(1000 * Number(match[1])));
  player.focus();
}
addEventListener("hashchange", seekToHash);
