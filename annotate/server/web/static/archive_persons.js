/* The page of the persons of the archive: pictures of their faces, names, who is the same, and where they are seen. */

import { ask, clock, listen, make, number, showError, word } from "/static/common.js";
import { labelOf, nameForm, naming } from "/static/persons.js";

const PAGE = 50;
const MAX_PER_REQUEST = 1000;
const MAX_LOADING = 2;
const TYPING_DELAY_MS = 250;
const RELOAD_DELAY_MS = 1500;
const filters = document.getElementById("filters");
const list = document.getElementById("people");
const more = document.getElementById("more");
const merging = document.getElementById("merging");
const empty = document.getElementById("empty");
const chosen = new Map();
const opened = new Map();
const awaited = new Set();
let wanted = PAGE;
let requests = 0;
let loading = 0;

const keyOf = (person) => `${person.group}-${person.person}`;

/* Shows the first `wanted` persons, or those that follow the ones shown if `isMore`; outdated responses are ignored. */
async function show({ isMore = false } = {}) {
  const request = ++requests;
  const query = { q: filters.elements.q.value.trim(), sort: filters.elements.sort.value };
  const offset = isMore ? list.children.length : 0;
  const persons = [];
  let found;
  do {
    const limit = Math.min(MAX_PER_REQUEST, wanted - offset - persons.length);
    try {
      found = await ask(`/persons?${new URLSearchParams({ ...query, offset: offset + persons.length, limit })}`);
    } catch (error) {
      if (request === requests) showEmpty(error.message);
      return;
    }
    if (request !== requests) return;
    persons.push(...found.persons);
  } while (found.persons.length && offset + persons.length < Math.min(wanted, found.total));
  if (isMore) list.append(...persons.map(itemOf));
  else fill(persons, found, query.q);
  more.hidden = list.children.length >= found.total;
}

function showEmpty(text) {
  empty.textContent = text;
  empty.hidden = !text;
  if (text) list.replaceChildren();
}

function fill(persons, { total, tracks }, words) {
  const focused = document.activeElement && document.activeElement.dataset.key;
  const place = focused ? [...list.children].findIndex((item) => item.contains(document.activeElement)) : -1;
  const canEdit = persons.some((person) => person.can_edit);
  document.getElementById("summary").textContent = total ? word("personsCount", { persons: number(total), tracks: number(tracks) }) : "";
  document.getElementById("persons-hint").textContent = persons.length ? word(canEdit ? "archivePersonsHint" : "personsReadOnly") : "";
  showEmpty(total ? "" : word(words ? "nothingFound" : "noPersons"));
  for (const person of persons) if (chosen.has(keyOf(person))) chosen.set(keyOf(person), person);
  list.replaceChildren(...persons.map(itemOf));
  showChosen();
  if (focused) focusAgain(focused, place);
}

/* Focuses the element that had the focus, or else the name in its place, or the list of face tracks. */
function focusAgain(key, place) {
  const again = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
  const item = list.children[Math.min(Math.max(place, 0), list.children.length - 1)];
  const instead = key.startsWith("split") ? "summary" : "form input, a";
  const target = again || (item && item.querySelector(instead));
  if (target) target.focus();
}

async function change(...steps) {
  try {
    for (const [path, options] of steps) await ask(path, options);
  } catch (error) {
    showError(error);
  }
  await show();
}

function itemOf(person) {
  const [key, label, path] = [keyOf(person), labelOf(person), `/videos/${person.video}`];
  const pictures = make("div", { class: "person-faces" }, ...person.faces.map((face) => pictureOf(face, label)));
  const facts = word("personFacts", { videos: number(person.videos), tracks: number(person.tracks), time: clock(person.seconds, 1) });
  const title = word("person", { number: person.person });
  const moments = make("a", { href: `/archive?${new URLSearchParams({ person: person.name || person.person, view: "moments" })}`, text: word("moments"), "data-key": `moments${key}` });
  moments.setAttribute("aria-label", `${word("moments")}: ${label}`);
  const text = make("span", { class: "hint" }, make("span", { text: person.can_edit || person.name ? `${title} · ${facts} · ` : `${facts} · ` }), moments);
  const name = person.can_edit ? nameForm(person, key, (given) => change(naming(path, person.person, given))) : make("strong", { text: label, dir: "auto" });
  return make("li", { "data-person": person.person }, person.can_edit ? boxOf(person, label) : null, pictures, name, text, tracksOf(person, label));
}

function pictureOf(face, label) {
  const text = `${label}: ${[face.folder, face.name].filter(Boolean).join("/")}, ${clock(face.start_s, 1)}`;
  const picture = make("img", { "data-src": `/api/videos/${face.id}/faces/${face.face_id}`, alt: text, width: 48, height: 48 });
  visible.observe(picture);
  return make("a", { href: `/videos/${face.id}#t=${face.start_s}`, title: text }, picture);
}

/* Loads the pictures that are visible, few at a time, so that requests of the page do not wait for pictures that scrolled by. */
const visible = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) awaited.add(target);
      else awaited.delete(target);
    }
    loadPictures();
  },
  { rootMargin: "200px" },
);

function loadPictures() {
  for (const picture of awaited) {
    if (loading >= MAX_LOADING) return;
    loading++;
    awaited.delete(picture);
    visible.unobserve(picture);
    const next = () => {
      loading--;
      loadPictures();
    };
    picture.addEventListener("load", next, { once: true });
    picture.addEventListener("error", next, { once: true });
    picture.src = picture.dataset.src;
  }
}

function boxOf(person, label) {
  const input = make("input", { type: "checkbox", class: "choose", "aria-label": word("chooseVideo", { name: label }), "data-key": `choose${keyOf(person)}` });
  input.checked = chosen.has(keyOf(person));
  input.addEventListener("change", () => {
    if (input.checked) chosen.set(keyOf(person), person);
    else chosen.delete(keyOf(person));
    showChosen();
  });
  return input;
}

/* The persons that are chosen, with a button that merges them into the one chosen first. */
function showChosen() {
  const persons = [...chosen.values()];
  merging.hidden = !persons.length;
  const isApart = new Set(persons.map((person) => person.group)).size > 1;
  const merge = make("button", { type: "button", class: "button", text: word("merge"), "data-key": "merge", onclick: mergeChosen });
  merge.disabled = persons.length < 2 || isApart;
  const none = make("button", { type: "button", class: "button plain", text: word("chooseNone"), "data-key": "none", onclick: chooseNone });
  const text = make("span", { text: word("chosen", { names: persons.map(labelOf).join(", ") }), dir: "auto" });
  merging.replaceChildren(text, merge, none, isApart ? make("span", { class: "hint", text: word("mergeApart") }) : "");
}

function chooseNone() {
  chosen.clear();
  for (const box of list.querySelectorAll(".choose")) box.checked = false;
  showChosen();
}

async function mergeChosen() {
  const [first, ...others] = [...chosen.values()];
  chosen.clear();
  await change(...others.map((other) => [`/videos/${first.video}/persons/${first.person}/merge/${other.person}`, { method: "POST" }]));
  const name = [...list.querySelectorAll("[data-key]")].find((one) => one.dataset.key === `name${keyOf(first)}`);
  if (name) name.focus();
}

/* All face tracks of a person, loaded when they are opened, and a button that says that one is someone else. */
function tracksOf(person, label) {
  const key = keyOf(person);
  const summary = make("summary", { text: word("allTracks", { number: number(person.tracks) }), "data-key": `tracks${key}` });
  const items = make("ul");
  const next = make("button", { type: "button", class: "button plain", text: word("more"), hidden: true });
  const details = make("details", { class: "person-tracks" }, summary, items, next);
  async function load(count) {
    try {
      while (items.children.length < count) {
        const limit = Math.min(MAX_PER_REQUEST, count - items.children.length);
        const { faces, total } = await ask(`/videos/${person.video}/persons/${person.person}/faces?${new URLSearchParams({ offset: items.children.length, limit })}`);
        items.append(...faces.map((face) => trackOf(face, person, label)));
        next.hidden = items.children.length >= total;
        if (!faces.length || next.hidden) break;
      }
    } catch (error) {
      showError(error);
    }
  }
  next.addEventListener("click", () => {
    opened.set(key, items.children.length + PAGE);
    load(opened.get(key));
  });
  details.open = opened.has(key);
  if (details.open) load(opened.get(key));
  details.addEventListener("toggle", () => {
    if (!details.open) opened.delete(key);
    else if (!opened.has(key)) {
      opened.set(key, PAGE);
      load(PAGE);
    }
  });
  return details;
}

function trackOf(face, person, label) {
  const path = [face.folder, face.name].filter(Boolean).join("/");
  const link = make("a", { href: `/videos/${face.id}#t=${face.start_s}`, text: `${path}, ${clock(face.start_s, 1)}`, dir: "auto" });
  const facts = make("span", { class: "hint", text: `${word("face", { number: face.face_id })} · ${clock(face.seconds, 1)}` });
  return make("li", {}, pictureOf(face, label), link, facts, person.can_edit && person.tracks > 1 ? splitOf(face, label) : "");
}

function splitOf(face, label) {
  const text = `${word("face", { number: face.face_id })}, ${face.name}: ${word("notThisPerson", { name: label })}`;
  const onclick = () => change([`/videos/${face.id}/faces/${face.face_id}/split`, { method: "POST" }]);
  const options = { type: "button", class: "button plain", title: text, "aria-label": text, "data-key": `split${face.id}-${face.face_id}`, onclick };
  return make("button", { ...options, text: word("split") });
}

let timer = 0;
filters.addEventListener("submit", (event) => event.preventDefault());
filters.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => {
    wanted = PAGE;
    show();
  }, TYPING_DELAY_MS);
});
more.addEventListener("click", () => {
  wanted = list.children.length + PAGE;
  show({ isMore: true });
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.closest("input, select, textarea")) return;
  event.preventDefault();
  filters.elements.q.focus();
});

/* What changes elsewhere follows after a short delay, but not while a name is typed. */
let reloadTimer = 0;

function showLater() {
  clearTimeout(reloadTimer);
  reloadTimer = setTimeout(() => {
    const isTyping = [...list.querySelectorAll("form input")].some((input) => input.value !== input.defaultValue);
    if (isTyping) showLater();
    else if (!document.hidden) show();
  }, RELOAD_DELAY_MS);
}

listen(() => {}, () => show(), { archive: showLater });
