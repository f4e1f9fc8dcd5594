/* Shared by all pages: texts, numbers, the API, events, and table rows of videos. */

const page = JSON.parse(document.body.dataset.page);
export const { language, emotions, maxUploadBytes } = page;
export const { make } = AnnotateElements;
const RECONNECT_DELAY_MS = 4000;
const ENDED = ["annotated", "failed", "cancelled", "stale", "missing"];

/* Returns a text in the language of the page, with {placeholders} replaced. */
export function word(key, values = {}) {
  return AnnotateElements.fill(page.words[key] ?? key, values);
}

/* Formats seconds as 0:05, 1:02:05 or 0:05.0. */
export function clock(seconds, decimals = 0) {
  return AnnotateElements.clock(1000 * seconds, decimals);
}

export function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const options = { style: "unit", unit: units[power], unitDisplay: power ? "short" : "long", maximumFractionDigits: power > 2 ? 1 : 0 };
  return new Intl.NumberFormat(language, options).format(bytes / 1000 ** power);
}

export function number(value, decimals = 0) {
  return new Intl.NumberFormat(language, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(value);
}

export function percent(share) {
  return new Intl.NumberFormat(language, { style: "percent" }).format(share);
}

export function emotionOf(name) {
  return emotions.find((emotion) => emotion.name === name) || { name, word: name, colour: "#808080", ink: "#000000" };
}

export function swatch(name) {
  const element = make("span", { class: "swatch", "aria-hidden": "true" });
  element.style.background = emotionOf(name).colour;
  return element;
}

/* Returns what an error reply says, as text. `content` is its document, if it has one: `detail` is a text, or for invalid
   parameters a list of {loc, msg}; a parameter has the name of its field on the page, if there is one. */
export function errorText(content, status, statusText = "") {
  const detail = content && content.detail;
  if (typeof detail === "string" && detail) return detail;
  const problems = (Array.isArray(detail) ? detail : []).filter((one) => one && typeof one.msg === "string");
  if (!problems.length) return word("errorStatus", { status: [status, statusText].filter(Boolean).join(" ") });
  return problems.map(({ loc, msg }) => word("invalid", { name: fieldName(loc), reason: msg })).join(" ");
}

function fieldName(loc) {
  const name = String(Array.isArray(loc) ? loc[loc.length - 1] : loc);
  return page.words[name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase())] ?? name;
}

/* Sends a request to the API and returns the document; throws an Error whose message is text for users, with the HTTP
   `status`, 0 if there was no reply, and the document as `content`. */
export async function ask(path, options = {}) {
  const response = await fetch(`/api${path}`, options).catch(() => {
    throw Object.assign(new Error(word("noReply")), { status: 0 });
  });
  if (response.status === 204) return null;
  const content = await response.json().catch(() => null);
  if (!response.ok) {
    throw Object.assign(new Error(errorText(content, response.status, response.statusText)), { status: response.status, content });
  }
  return content;
}

export const post = (path) => ask(path, { method: "POST" });

function showOffline(isOffline) {
  document.getElementById("offline").hidden = !isOffline;
}

/* Calls `onVideo` for every changed video, `onConnect` after each (re)connection, and `archive` when the archive changes.
   A hidden page does not listen. */
export function listen(onVideo, onConnect, { query = "", archive = null } = {}) {
  let source = null;
  let timer = 0;
  function open() {
    clearTimeout(timer);
    if (source || document.hidden) return;
    source = new EventSource(`/api/events${query}`);
    source.addEventListener("open", () => {
      showOffline(false);
      onConnect();
    });
    source.addEventListener("video", (event) => onVideo(JSON.parse(event.data)));
    if (archive) source.addEventListener("archive", archive);
    source.addEventListener("error", () => {
      showOffline(true);
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        timer = setTimeout(open, RECONNECT_DELAY_MS);
      }
    });
  }
  function close() {
    if (source) source.close();
    source = null;
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}

/* Progress of an order: a bar and a text. */
export function progressOf(progress) {
  const { done_s: done, duration_s: length, to_go_s: toGo } = progress;
  const text = length ? word("progress", { done: clock(done), length: clock(length) }) : word("progressUnknown", { done: clock(done) });
  const remaining = toGo === null || toGo === undefined ? "" : ` · ${word("toGo", { time: clock(Math.ceil(toGo)) })}`;
  const bar = make("progress", { max: 1, "aria-label": word("running"), value: length ? Math.min(1, done / length) : null });
  return [bar, make("span", { class: "reason", text: text + remaining })];
}

/* Returns remarks on a video: damage and an older analysis version in the language of the page, then other reasons. */
export function remarksOn(video) {
  const hasResults = ["annotated", "stale"].includes(video.state);
  const damage = (hasResults && video.damage[language]) || "";
  const older = isOlder(video) ? word("olderHint") : "";
  const reason = older || video.reason === video.damage.en ? "" : video.reason;
  return [damage, older, reason].filter(Boolean);
}

/* Whether results are outdated only because an older analysis version made them. */
function isOlder(video) {
  return video.older && video.state === "stale";
}

export function stateOf(video) {
  const name = video.state === "annotated" && video.faces === 0 ? "noFaces" : isOlder(video) ? "older" : video.state;
  const isDamaged = video.state === "annotated" && language in video.damage;
  const parts = [make("span", { class: `state ${video.state}${isDamaged ? " damaged" : ""}`, text: word(name) })];
  if (video.progress) parts.push(...progressOf(video.progress));
  return [...parts, ...remarksOn(video).map((text) => make("div", { class: "reason", text }))];
}

function sharesOf(video) {
  const isMain = ([name]) => Number(name === video.emotion);
  const shares = Object.entries(video.shares).sort((one, other) => isMain(other) - isMain(one) || other[1] - one[1]);
  const label = shares.map(([name, share]) => `${emotionOf(name).word} ${percent(share)}`).join(", ");
  const bar = make("div", { class: "shares", role: "img", "aria-label": label, title: label });
  for (const [name, share] of shares) {
    const part = make("span");
    part.style.width = `${100 * share}%`;
    part.style.background = emotionOf(name).colour;
    bar.append(part);
  }
  return bar;
}

export function peopleOf(video) {
  return `${word("persons")}: ${number(video.people)}`;
}

export function mostlyOf(video) {
  return video.emotion ? [make("span", {}, swatch(video.emotion), emotionOf(video.emotion).word), sharesOf(video)] : [];
}

/* Shows an error of `ask`. */
export function showError(error) {
  alert(error.message);
}

/* Returns a click handler that disables the button during an action, and shows its error. */
export function clickHandler(action) {
  return async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      await action();
    } catch (error) {
      showError(error);
    } finally {
      button.disabled = false;
    }
  };
}

export function actionsOf(video) {
  const path = `/videos/${video.id}`;
  const buttons = [];
  if (["waiting", "running"].includes(video.state)) {
    buttons.push(make("button", { type: "button", text: word("cancel"), onclick: clickHandler(() => post(`${path}/cancel`)) }));
  } else if (["failed", "cancelled", "missing", "stale"].includes(video.state)) {
    const text = word(video.state === "missing" || video.state === "stale" ? "annotate" : "again");
    buttons.push(make("button", { type: "button", text, onclick: clickHandler(() => post(`${path}/annotate`)) }));
  }
  if (video.source === "upload" && ENDED.includes(video.state)) {
    const remove = async () => {
      if (confirm(word("confirmRemove", { name: video.name }))) await ask(path, { method: "DELETE" });
    };
    buttons.push(make("button", { type: "button", text: word("remove"), onclick: clickHandler(remove) }));
  }
  return buttons;
}

export function tableOf(heads, label) {
  const cells = heads.map(([key, kind]) => make("th", { scope: "col", class: kind, text: word(key) }));
  const body = make("tbody");
  const table = make("table", { class: "videos", "aria-label": label }, make("thead", {}, make("tr", {}, ...cells)), body);
  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = event.target.closest("tr");
    if (!step || !row || !event.target.matches(".row-name a")) return;
    const next = step > 0 ? row.nextElementSibling : row.previousElementSibling;
    const link = next && next.querySelector(".row-name a");
    if (link) link.focus();
    event.preventDefault();
  });
  return { table, body };
}

export const VIDEO_HEADS = [["name"], ["state"], ["length", "number"], ["faces", "number row-faces"], ["mostly"], ["actions", "row-actions"]];

/* A table row with a method `fill(video)`; it updates only cells that have changed, so that the focus stays. */
export function videoRow(video, { withFolder = false, selection = null } = {}) {
  const link = make("a", { href: `/videos/${video.id}`, dir: "auto" });
  const folder = make("div", { class: "hint" });
  const cells = {
    name: make("td", { class: "row-name" }, selection ? selection.box(video) : null, link, folder),
    state: make("td", { class: "row-state" }),
    length: make("td", { class: "number row-length" }),
    faces: make("td", { class: "number row-faces" }),
    mostly: make("td", { class: "row-mostly" }),
    actions: make("td", { class: "row-actions" }),
  };
  const row = make("tr", { "data-id": video.id }, ...Object.values(cells));
  const shown = {};
  function update(key, value, build) {
    if (shown[key] === value) return;
    shown[key] = value;
    cells[key].replaceChildren(...build());
  }
  row.fill = (now) => {
    row.video = now;
    link.textContent = now.name;
    folder.textContent = withFolder ? now.folder : "";
    update("state", JSON.stringify([now.state, remarksOn(now), now.progress, now.faces]), () => stateOf(now));
    update("length", String(now.duration_s), () => [now.duration_s === null ? "" : clock(now.duration_s)]);
    update("faces", `${now.faces} ${now.people}`, () => [now.faces === null ? "" : number(now.faces), now.people ? make("div", { class: "hint", text: peopleOf(now) }) : ""]);
    update("mostly", JSON.stringify(now.shares), () => mostlyOf(now));
    update("actions", now.state, () => actionsOf(now));
  };
  row.fill(video);
  return row;
}
