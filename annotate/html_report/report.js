"use strict";

/* The report page: a table that sorts and searches, a player for the video that the address names, and charts. */
const AnnotateReport = (() => {
  const LIGHT = { ink: "#1d2126", quiet: "#5b636d", line: "#dfe3e8", low: "#f3f6f9", high: "#1269A9" };
  const DARK = { ink: "#e6e9ec", quiet: "#a3abb5", line: "#3a4149", low: "#20262d", high: "#60C1F7" };
  const VIDEO = "#video-";
  const LETTER_PX = 7.5;
  const PRINTED_PX = 680; // fits a page of paper
  const TEXT_COLUMNS = new Set([0, 1, 5]);
  const byId = (id) => document.getElementById(id);
  const parse = (id) => JSON.parse(byId(id).textContent);
  const { clock, make } = AnnotateElements;

  const title = document.title;
  const waiting = new Map();
  let table, rows, order, player, opened, scrolled = 0;

  function loadScript(url) {
    return new Promise((resolve, reject) => {
      const script = make("script", { src: url });
      script.addEventListener("load", () => resolve(script.remove()));
      script.addEventListener("error", () => reject(new Error(url)));
      document.head.append(script);
    });
  }

  /* What a part of this page hands over when it is loaded. */
  function receive(key, data) {
    waiting.set(key, data);
  }

  async function dataOf(video) {
    if (!video.part) return parse(`data-${video.key}`);
    await loadScript(video.part);
    const data = waiting.get(video.key);
    waiting.delete(video.key);
    return data;
  }

  function isShown(number) {
    return !rows[number].hidden;
  }

  function neighbour(number, step) {
    const shown = order.filter((each) => isShown(each) && rows[each].querySelector("a"));
    const at = shown.indexOf(number);
    return at < 0 ? undefined : shown[at + step];
  }

  function setLink(link, number) {
    if (number === undefined) link.removeAttribute("href");
    else link.href = `${VIDEO}${table[number].key}`;
    link.title = number === undefined ? "" : table[number].name;
  }

  async function open(number) {
    close();
    if (byId("detail").hidden) scrolled = window.scrollY;
    const video = table[number];
    opened = number;
    byId("overview").hidden = true;
    byId("detail").hidden = false;
    byId("detail-title").firstElementChild.textContent = video.name;
    const [, folder, length, withFace, faces] = video.sort;
    byId("detail-facts").textContent = `\u2068${folder}\u2069 \u00b7 ${clock(1000 * length, 0)} long, ${clock(1000 * withFace, 0)} with a face, ${faces} ${faces === 1 ? "face" : "faces"}`;
    byId("detail-noted").textContent = video.noted.join("; ");
    byId("detail-noted").hidden = !video.noted.length;
    document.title = `${video.name} \u2013 ${title}`;
    setLink(byId("previous"), neighbour(number, -1));
    setLink(byId("next"), neighbour(number, 1));
    window.scrollTo(0, 0);
    let data;
    try {
      data = await dataOf(video);
    } catch {
      data = undefined;
    }
    if (opened !== number) return;
    if (!data) {
      const text = `A part of this page is missing: ${decodeURI(video.part)}. Keep the folder beside the page, or make the report again.`;
      byId("player").replaceChildren(make("p", { role: "alert", text }));
      return;
    }
    player = AnnotatePlayer.mount(byId("player"), data, { videoUrl: video.url, videoName: video.name });
    player.focus();
  }

  function close() {
    if (player) player.destroy();
    player = opened = undefined;
    byId("player").replaceChildren();
  }

  function backToOverview() {
    if (byId("detail").hidden) return;
    const link = opened === undefined ? null : rows[opened].querySelector("a");
    close();
    document.title = title;
    byId("detail").hidden = true;
    byId("overview").hidden = false;
    startCharts();
    const anchor = byId(location.hash.slice(1));
    if (anchor && anchor.matches("section")) {
      anchor.scrollIntoView();
      anchor.focus();
    } else {
      window.scrollTo(0, scrolled);
      if (link) link.focus({ preventScroll: true });
    }
  }

  function route() {
    const key = location.hash.startsWith(VIDEO) ? location.hash.slice(VIDEO.length) : "";
    const number = key ? table.findIndex((video) => video.key === key) : -1;
    if (number >= 0 && rows[number].querySelector("a")) open(number);
    else backToOverview();
  }

  function compare(column, direction) {
    return (one, other) => {
      const [left, right] = [table[one].sort[column], table[other].sort[column]];
      if (left === null || right === null || left === "" || right === "") {
        const isEmpty = (value) => value === null || value === "";
        if (isEmpty(left) !== isEmpty(right)) return isEmpty(left) ? 1 : -1;
        return one - other;
      }
      const difference = TEXT_COLUMNS.has(column) ? left.localeCompare(right, "en", { numeric: true }) : left - right;
      return direction * difference || one - other;
    };
  }

  /* Numbers from the largest on, text from A on; the other way round when it is asked for again. */
  function sort(button) {
    const head = button.closest("th");
    const column = Number(button.dataset.column);
    const usual = TEXT_COLUMNS.has(column) ? "ascending" : "descending";
    const opposite = usual === "ascending" ? "descending" : "ascending";
    const now = head.getAttribute("aria-sort") === usual ? opposite : usual;
    for (const each of head.parentElement.cells) if (each.hasAttribute("aria-sort")) each.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", now);
    order.sort(compare(column, now === "ascending" ? 1 : -1));
    byId("table").tBodies[0].append(...order.map((number) => rows[number]));
  }

  function search() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    table.forEach((video, number) => {
      const fits = words.every((word) => video.text.includes(word));
      if (rows[number].hidden === fits) rows[number].hidden = !fits;
      shown += fits;
    });
    byId("none").hidden = shown > 0;
    const all = table.length.toLocaleString("en");
    byId("count").textContent = words.length ? `${shown.toLocaleString("en")} of ${all} videos` : "";
  }

  let plotly, figures, isPrinting = false;
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");

  function loadPlotly() {
    const url = byId("data-figures").dataset.plotly;
    if (url) return loadScript(url);
    document.head.append(make("script", { text: byId("plotly").textContent }));
    return Promise.resolve();
  }

  function drawCharts() {
    if (!figures || !figures.length || byId("overview").hidden) return;
    const look = scheme.matches && !isPrinting ? DARK : LIGHT;
    for (const { key, figure } of figures) {
      const { data, layout } = JSON.parse(figure);
      layout.font.color = look.ink;
      layout.hoverlabel = { bgcolor: look.low, bordercolor: look.line, font: { ...layout.font, color: look.ink } };
      for (const axis of [layout.xaxis, layout.yaxis]) Object.assign(axis, { gridcolor: look.line, zerolinecolor: look.line, linecolor: look.line });
      const place = byId(`chart-${key}`);
      place.dataset.height ??= place.clientHeight;
      if (isPrinting) layout.width = PRINTED_PX;
      for (const trace of data) {
        if (trace.type !== "heatmap") continue;
        trace.colorscale = [[0, look.low], [1, look.high]];
        const [names, words] = [trace.y, trace.x].map((labels) => LETTER_PX * Math.max(...labels.map((label) => label.length)));
        const isNarrow = ((isPrinting ? PRINTED_PX : place.clientWidth) - names) / trace.x.length < words;
        layout.xaxis.tickangle = isNarrow ? -90 : 0;
        layout.margin.t = isNarrow ? words : layout.margin.t;
        place.style.height = `${Number(place.dataset.height) + (isNarrow ? words : 0)}px`;
      }
      window.Plotly.react(place, data, layout, { displayModeBar: false, responsive: true });
    }
  }

  /* Charts are drawn when they are to be seen. */
  async function startCharts() {
    if (byId("overview").hidden) return;
    const read = parse("data-figures");
    if (!read.length) return;
    try {
      await (plotly ??= loadPlotly());
      figures = read;
      drawCharts();
    } catch {
      for (const { key } of read) byId(`chart-${key}`).textContent = "A part of this page is missing, so that this chart cannot be drawn.";
    }
  }

  function start() {
    table = parse("data-table");
    rows = [...byId("table").tBodies[0].rows];
    order = table.map((_, number) => number);
    for (const video of table) video.text = [video.sort[0], video.sort[1], video.sort[5]].join("\n").toLowerCase();
    byId("table").tHead.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) sort(button);
    });
    byId("search").addEventListener("input", search);
    window.addEventListener("hashchange", route);
    document.addEventListener("keydown", (event) => {
      if (!player || event.target !== document.body || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "ArrowLeft" || event.key === "ArrowRight") player.jump(event.key === "ArrowLeft" ? -1 : 1);
    });
    scheme.addEventListener("change", drawCharts);
    window.addEventListener("beforeprint", () => drawCharts((isPrinting = true)));
    window.addEventListener("afterprint", () => drawCharts((isPrinting = false)));
    route();
    const later = window.requestIdleCallback || ((callback) => setTimeout(callback, 50));
    later(startCharts);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
  return { receive };
})();
