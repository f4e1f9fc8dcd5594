/* Choosing several videos of a table, and what can be done with them: annotate, download the results, delete. */

import { ask, clickHandler, language, make, number, word } from "/static/common.js";

const MAX_CHOSEN = 1000;

/* Returns an object with `bar`, an element to place above the table, and the methods `box(video)`, which returns the checkbox of a
   row, `keep(ids)`, which forgets videos that are no longer shown, and `clear()`. */
export function makeSelection({ canRemove = false, done = () => {} } = {}) {
  const chosen = new Set();
  const boxes = new Map();
  const text = make("span", { class: "hint" });
  const bar = make("div", { class: "selection", role: "group", "aria-label": word("chosenVideos"), hidden: true });

  const send = (path) => ask(`/selection/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ids: [...chosen].slice(0, MAX_CHOSEN) }) });

  async function annotate() {
    done(word("ordered", { number: number((await send("annotate")).ordered) }));
    clear();
  }

  async function remove() {
    if (!confirm(word("confirmRemoveChosen", { number: number(chosen.size) }))) return;
    await send("remove");
    clear();
  }

  function download() {
    const query = new URLSearchParams({ language });
    for (const id of [...chosen].slice(0, MAX_CHOSEN)) query.append("id", id);
    make("a", { href: `/api/selection/results.zip?${query}`, download: "results.zip" }).click();
  }

  const button = (key, action) => make("button", { type: "button", class: "button plain", text: word(key), onclick: clickHandler(action) });
  bar.append(text, button("annotate", annotate), button("downloadChosen", async () => download()), canRemove ? button("remove", remove) : "", button("chooseNone", async () => clear()));

  function update() {
    bar.hidden = !chosen.size;
    text.textContent = word("chosenCount", { number: number(chosen.size) });
    for (const [id, box] of boxes) box.checked = chosen.has(id);
  }

  function clear() {
    chosen.clear();
    update();
  }

  function box(video) {
    const input = make("input", { type: "checkbox", class: "choose", "aria-label": word("chooseVideo", { name: video.name }) });
    input.checked = chosen.has(video.id);
    input.addEventListener("change", () => {
      if (input.checked) chosen.add(video.id);
      else chosen.delete(video.id);
      update();
    });
    boxes.set(video.id, input);
    return input;
  }

  function keep(ids) {
    for (const id of [...boxes.keys()]) {
      if (ids.has(id)) continue;
      boxes.delete(id);
      chosen.delete(id);
    }
    update();
  }

  return { bar, box, keep, clear };
}
