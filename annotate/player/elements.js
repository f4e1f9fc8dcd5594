"use strict";

/* Elements, texts and times, for all scripts of pages. */
const AnnotateElements = (() => {
  /* An element; attributes that are null, undefined or false are left out, as are children that are nothing. */
  function make(name, options = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(options)) {
      if (value === null || value === undefined || value === false) continue;
      if (key === "text") made.textContent = value;
      else if (key === "class") made.className = value;
      else if (key === "onclick") made.addEventListener("click", value);
      else made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined));
    return made;
  }

  /* A text with its {places} filled. */
  function fill(text, values) {
    return text.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole));
  }

  /* A moment as a player's clock shows it: 0:03.2, 1:02:05.0. */
  function clock(ms, decimals = 1) {
    const unit = 10 ** decimals;
    const parts = Math.round((ms / 1000) * unit);
    const seconds = Math.floor(parts / unit);
    const hours = Math.floor(seconds / 3600);
    const minutes = String(Math.floor(seconds / 60) % 60).padStart(hours ? 2 : 1, "0");
    const text = `${hours ? `${hours}:` : ""}${minutes}:${String(seconds % 60).padStart(2, "0")}`;
    return decimals ? `${text}.${String(parts % unit).padStart(decimals, "0")}` : text;
  }

  return { make, fill, clock };
})();
