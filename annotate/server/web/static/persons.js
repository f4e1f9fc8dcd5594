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

const labelOf = (person) => person.name || word("person", { number: person.person });

async function change(subpath, options) {
  try {
    fill(await ask(`${path}${subpath}`, options));
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
  return make("li", { "data-person": person.person }, pictures, nameForm(person), sameAs(person, persons, label), facts);
}

function faceOf(face, person, label, canEdit) {
  const picture = make("img", { src: `/api${path}/faces/${face}`, alt: word("face", { number: face }), width: 48, height: 48, loading: "lazy" });
  if (!canEdit || person.faces.length < 2) return picture;
  const text = `${word("face", { number: face })}: ${word("notThisPerson", { name: label })}`;
  const onclick = () => change(`/faces/${face}/split`, { method: "POST" });
  return make("button", { type: "button", class: "plain person-face", title: text, "aria-label": text, "data-key": `face${face}`, onclick }, picture);
}

function nameForm(person) {
  const input = make("input", { value: person.name, maxlength: 60, placeholder: word("personName"), dir: "auto", "data-key": `name${person.person}` });
  input.setAttribute("aria-label", `${word("personName")}: ${word("person", { number: person.person })}`);
  const form = make("form", {}, input, make("button", { class: "button plain", text: word("save"), "data-key": `save${person.person}` }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const body = JSON.stringify({ name: input.value });
    change(`/persons/${person.person}/name`, { method: "PUT", body, headers: { "Content-Type": "application/json" } });
  });
  return form;
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
    change(`/persons/${person.person}/merge/${select.value}`, { method: "POST" });
  });
  return form;
}
