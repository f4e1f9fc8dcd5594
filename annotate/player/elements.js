"use strict";

/* Helpers shared by all scripts: creating elements, filling in texts, formatting times. */
const AnnotateElements = (() => {
  /* Creates an element. Attributes that are null, undefined or false, and children that are null or undefined, are skipped. */
  function make(name, options = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(options)) {
      if (value === null || value === undefined || value === false) continue;
      if (key === "text") element.textContent = value;
      else if (key === "class") element.className = value;
      else if (key === "onclick") element.addEventListener("click", value);
      else element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  /* Replaces {placeholders} in a text by values. */
  function fill(text, values) {
    return text.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole));
  }

  /* Formats a time: 0:03.2, 1:02:05.0. */
  function clock(ms, decimals = 1) {
    const unit = 10 ** decimals;
    const units = Math.round((ms / 1000) * unit);
    const seconds = Math.floor(units / unit);
    const hours = Math.floor(seconds / 3600);
    const minutes = String(Math.floor(seconds / 60) % 60).padStart(hours ? 2 : 1, "0");
    const text = `${hours ? `${hours}:` : ""}${minutes}:${String(seconds % 60).padStart(2, "0")}`;
    return decimals ? `${text}.${String(units % unit).padStart(decimals, "0")}` : text;
  }

  return { make, fill, clock };
})();
