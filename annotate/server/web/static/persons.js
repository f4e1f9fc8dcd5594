/* The persons of a video: pictures of their faces, names, and who is the same. */

import { ask, clock, make, showError, word } from "/static/common.js";

const section = document.getElementById("persons");
const list = document.getElementById("people");
let path = "";
let onChange = () => {};

/* Shows the persons of a video, if they were told apart; calls `changed` when the user has changed something. */
export async function showPersons(videoPath, changed) {
  path = videoPath;
  onChange = changed;
  const found = await ask(`${path}/persons`).catch(() => null);
  fill(found || { persons: [], can_edit: false });
}

function fill({ persons, can_edit: canEdit }) {
  section.hidden = !persons.length;
  document.getElementById("persons-hint").textContent = word(canEdit ? "personsHint" : "personsReadOnly");
  const focused = document.activeElement && document.activeElement.dataset.key;
  list.replaceChildren(...persons.map((person) => itemOf(person, persons, canEdit)));
  const again = focused && [...list.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused);
  if (again) again.focus();
  else if (focused && list.querySelector("input")) list.querySelector("input").focus();
}

export const labelOf = (person) => person.name || word("person", { number: person.person });

async function change(requestPath, options) {
  try {
    fill(await ask(requestPath, options));
    onChange();
  } catch (error) {
    showError(error);
  }
}

function itemOf(person, persons, canEdit) {
  const label = labelOf(person);
  const faces = person.faces.map((face) => faceOf(face, person, label, canEdit));
  const number = canEdit || person.name ? `${word("person", { number: person.person })} · ` : "";
  const facts = make("span", { class: "hint", text: number + clock(person.seconds, 1) });
  const pictures = make("div", { class: "person-faces" }, ...faces);
  if (!canEdit) return make("li", {}, pictures, make("strong", { text: label, dir: "auto" }), facts);
  const form = nameForm(person, person.person, (name) => change(...naming(path, person.person, name)));
  return make("li", { "data-person": person.person }, pictures, form, sameAs(person, persons, label), facts);
}

function faceOf(face, person, label, canEdit) {
  const picture = make("img", { src: `/api${path}/faces/${face}`, alt: word("face", { number: face }), width: 48, height: 48, loading: "lazy" });
  if (!canEdit || person.faces.length < 2) return picture;
  const text = `${word("face", { number: face })}: ${word("notThisPerson", { name: label })}`;
  const onclick = () => change(`${path}/faces/${face}/split`, { method: "POST" });
  return make("button", { type: "button", class: "plain person-face", title: text, "aria-label": text, "data-key": `face${face}`, onclick }, picture);
}

/* A field for the name of a person, with a button; `save(name)` is called when it is submitted. Keys of the elements end with `key`. */
export function nameForm(person, key, save) {
  const input = make("input", { value: person.name, maxlength: 60, placeholder: word("personName"), dir: "auto", "data-key": `name${key}` });
  input.setAttribute("aria-label", `${word("personName")}: ${word("person", { number: person.person })}`);
  const form = make("form", {}, input, make("button", { class: "button plain", text: word("save"), "data-key": `save${key}` }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(input.value);
  });
  return form;
}

/* The path and the options of the request that names a person of a video. */
export function naming(videoPath, person, name) {
  const body = JSON.stringify({ name });
  return [`${videoPath}/persons/${person}/name`, { method: "PUT", body, headers: { "Content-Type": "application/json" } }];
}

/* A choice of another person with a button, so that arrow keys alone change nothing. */
function sameAs(person, persons, label) {
  const others = persons.filter((one) => one !== person);
  if (!others.length) return "";
  const options = others.map((one) => make("option", { value: one.person, text: labelOf(one) }));
  const select = make("select", { "aria-label": word("samePerson", { name: label }), "data-key": `same${person.person}` }, ...options);
  const form = make("form", {}, make("label", {}, `${word("sameAs")} `, select), make("button", { class: "button plain", text: word("merge"), "data-key": `merge${person.person}` }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    change(`${path}/persons/${person.person}/merge/${select.value}`, { method: "POST" });
  });
  return form;
}
