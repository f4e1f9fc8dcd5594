"use strict";

/* The HTML report: a table that can be sorted and searched, charts, and a player for the video in the URL fragment. */
const AnnotateReport = (() => {
  const VIDEO_HASH = "#video-";
  const MIN_BEGINNING = 3;
  const TEXT_COLUMNS = new Set([0, 1, 5]);
  const byId = (id) => document.getElementById(id);
  const parse = (id) => JSON.parse(byId(id).textContent);
  const { clock, make } = AnnotateElements;

  const title = document.title;
  const received = new Map();
  let videos, rows, order, emotionNames, player, openNumber, searched = "", overviewScroll = 0;

  function loadScript(url) {
    return new Promise((resolve, reject) => {
      const script = make("script", { src: url });
      script.addEventListener("load", () => resolve(script.remove()));
      script.addEventListener("error", () => reject(new Error(url)));
      document.head.append(script);
    });
  }

  /* Called by the parts of this page when they load. */
  function receive(key, data) {
    received.set(key, data);
  }

  async function loadData(video) {
    if (!video.part) return parse(`data-${video.key}`);
    await loadScript(video.part);
    const data = received.get(video.key);
    received.delete(video.key);
    return data;
  }

  /* The next or previous video in the table as sorted and searched. */
  function neighbor(number, step) {
    const shown = order.filter((each) => !rows[each].hidden && rows[each].querySelector("a"));
    const index = shown.indexOf(number);
    return index < 0 ? undefined : shown[index + step];
  }

  function setLink(link, number) {
    if (number === undefined) link.removeAttribute("href");
    else link.href = `${VIDEO_HASH}${videos[number].key}`;
    link.title = number === undefined ? "" : videos[number].name;
  }

  async function open(number) {
    close();
    if (byId("detail").hidden) overviewScroll = window.scrollY;
    const video = videos[number];
    openNumber = number;
    byId("overview").hidden = true;
    byId("detail").hidden = false;
    byId("detail-title").firstElementChild.textContent = video.name;
    const [, folder, durationS, faceS, tracks] = video.sort;
    byId("detail-facts").textContent = `\u2068${folder}\u2069 \u00b7 ${clock(1000 * durationS, 0)} long, ${clock(1000 * faceS, 0)} with a face, ${tracks} ${tracks === 1 ? "face track" : "face tracks"}`;
    byId("detail-notes").replaceChildren(...video.notes.map((text) => make("span", { text })));
    byId("detail-notes").hidden = !video.notes.length;
    document.title = `${video.name} \u2013 ${title}`;
    setLink(byId("previous"), neighbor(number, -1));
    setLink(byId("next"), neighbor(number, 1));
    window.scrollTo(0, 0);
    let data;
    try {
      data = await loadData(video);
    } catch {
      data = undefined;
    }
    if (openNumber !== number) return;
    if (!data) {
      const text = `${decodeURI(video.part)}: file not found. Keep its folder beside this page, or make the report again.`;
      byId("player").replaceChildren(make("p", { role: "alert", text }));
      return;
    }
    player = AnnotatePlayer.mount(byId("player"), data, { videoUrl: video.url, videoName: video.name });
    player.focus();
  }

  function close() {
    if (player) player.destroy();
    player = openNumber = undefined;
    byId("player").replaceChildren();
  }

  function backToOverview() {
    if (byId("detail").hidden) return;
    const link = openNumber === undefined ? null : rows[openNumber].querySelector("a");
    close();
    document.title = title;
    byId("detail").hidden = true;
    byId("overview").hidden = false;
    drawCharts();
    const anchor = byId(location.hash.slice(1));
    if (anchor && anchor.matches("section")) {
      anchor.scrollIntoView();
      anchor.focus();
    } else {
      window.scrollTo(0, overviewScroll);
      if (link) link.focus({ preventScroll: true });
    }
  }

  function route() {
    const key = location.hash.startsWith(VIDEO_HASH) ? location.hash.slice(VIDEO_HASH.length) : "";
    const number = key ? videos.findIndex((video) => video.key === key) : -1;
    if (number >= 0 && rows[number].querySelector("a")) open(number);
    else backToOverview();
  }

  function compare(column, direction) {
    return (one, other) => {
      const [left, right] = [videos[one].sort[column], videos[other].sort[column]];
      if (left === null || right === null || left === "" || right === "") {
        const isEmpty = (value) => value === null || value === "";
        if (isEmpty(left) !== isEmpty(right)) return isEmpty(left) ? 1 : -1;
        return one - other;
      }
      const difference = TEXT_COLUMNS.has(column) ? left.localeCompare(right, "en", { numeric: true }) : left - right;
      return direction * difference || one - other;
    };
  }

  /* Videos in which an emotion dominates come first, then those with a larger share of it. */
  function compareShares(emotions) {
    const rank = ({ sort, shares }) => {
      const found = emotions.filter((emotion) => emotion in shares);
      return [found.includes(sort[5]) ? 1 : 0, Math.max(0, ...found.map((emotion) => shares[emotion]))];
    };
    return (one, other) => {
      const [left, right] = [rank(videos[one]), rank(videos[other])];
      return right[0] - left[0] || right[1] - left[1];
    };
  }

  function arrange(comparison) {
    order.sort(comparison);
    byId("table").tBodies[0].append(...order.map((number) => rows[number]));
  }

  /* The order that the heads of the columns show. */
  function compareBySort() {
    const head = byId("table").tHead.querySelector("[aria-sort$=ending]");
    if (!head) return (one, other) => one - other;
    return compare(Number(head.querySelector("button").dataset.column), head.getAttribute("aria-sort") === "ascending" ? 1 : -1);
  }

  /* Numbers descending, text ascending; a second click reverses the order. */
  function sort(button) {
    const head = button.closest("th");
    const column = Number(button.dataset.column);
    const usual = TEXT_COLUMNS.has(column) ? "ascending" : "descending";
    const opposite = usual === "ascending" ? "descending" : "ascending";
    const direction = head.getAttribute("aria-sort") === usual ? opposite : usual;
    for (const each of head.parentElement.cells) if (each.hasAttribute("aria-sort")) each.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", direction);
    arrange(compareBySort());
  }

  /* Whether a searched word is an emotion or the beginning of one. */
  function isEmotion(word, name) {
    const names = name.toLowerCase().split(/\s+/);
    return names.includes(word) || (word.length >= MIN_BEGINNING && names.some((each) => each.startsWith(word)));
  }

  function search() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const emotions = emotionNames.filter((name) => words.some((word) => isEmotion(word, name)));
    let shown = 0;
    if (emotions.join() !== searched) {
      arrange(compareBySort());
      if (emotions.length) arrange(compareShares(emotions));
      searched = emotions.join();
    }
    videos.forEach((video, number) => {
      const names = Object.keys(video.shares);
      const matches = words.every((word) => video.text.includes(word) || names.some((name) => isEmotion(word, name)));
      if (rows[number].hidden === matches) rows[number].hidden = !matches;
      shown += matches;
    });
    byId("none").hidden = shown > 0;
    const all = videos.length.toLocaleString("en");
    byId("count").textContent = words.length ? `${shown.toLocaleString("en")} of ${all} videos` : "";
  }

  /* Charts are drawn when the overview is first shown, since a hidden one has no size. */
  function drawCharts() {
    if (byId("overview").hidden) return;
    const figures = parse("data-figures");
    for (const { key, series } of figures) {
      const element = byId(`chart-${key}`);
      if (element.firstChild) continue;
      const named = series.map(({ emotion, colour, values }) => ({ name: emotion, colour, values }));
      if (key === "shares") AnnotateCharts.draw(element, { axis: "y", labels: [""], series: named, tooltip: (share) => AnnotateCharts.percent(share, 1) });
      else {
        const bins = series[0].values.map((_, bin) => AnnotateCharts.percent(bin / series[0].values.length));
        AnnotateCharts.draw(element, { axis: "x", labels: bins, series: named, labelTitle: element.dataset.labels, valueTitle: element.dataset.values, tooltip: (minutes) => `${minutes.toFixed(2)} min` });
      }
    }
  }

  function start() {
    videos = parse("data-table");
    rows = [...byId("table").tBodies[0].rows];
    order = videos.map((_, number) => number);
    for (const video of videos) video.text = [video.sort[0], video.sort[1]].join("\n").toLowerCase();
    emotionNames = [...new Set(videos.flatMap((video) => Object.keys(video.shares)))];
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
    route();
    const later = window.requestIdleCallback || ((callback) => setTimeout(callback, 50));
    later(drawCharts);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
  return { receive };
})();
