"use strict";

/* The HTML report: views of what the URL fragment selects, charts, and a player for a video. */
const AnnotateReport = (() => {
  const VIDEO_HASH = "#video-";
  const { clock, make } = AnnotateElements;
  const { page, playerWords, word, emotionWord, number, percent, translate } = AnnotateWords;
  const { videos, byKey, chosen } = AnnotateVideos;
  const byId = (id) => document.getElementById(id);
  const parse = AnnotateWords.parse;
  const received = new Map();
  let player, opened = null, overviewHash = "#", overviewScroll = 0;

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
    if (key === "moments") AnnotateMoments.add(data);
    else received.set(key, data);
  }

  async function loadData(video) {
    if (!video.part) return parse(`data-${video.key}`);
    await loadScript(video.part);
    const data = received.get(video.key);
    received.delete(video.key);
    return data;
  }

  /* The next or previous video in the order of the table. */
  function neighbor(video, step) {
    const rows = AnnotateTable.rows().map((row) => row.video || row);
    const shown = [...new Set(rows)].filter(({ opens }) => opens);
    const index = shown.indexOf(video);
    return index < 0 ? undefined : shown[index + step];
  }

  function setLink(link, video) {
    if (video) link.href = `${VIDEO_HASH}${video.key}`;
    else link.removeAttribute("href");
    link.title = video ? video.name : "";
  }

  const missingText = (url) => word("filesMissing", { path: decodeURI(url) });

  async function open(video, seconds) {
    if (opened === video && player) {
      player.seek(1000 * seconds);
      return;
    }
    close();
    if (byId("detail").hidden) overviewScroll = window.scrollY;
    opened = video;
    byId("overview").hidden = true;
    byId("detail").hidden = false;
    byId("back").href = overviewHash;
    byId("detail-title").firstElementChild.textContent = video.name;
    const [lengthS, faceS, , tracks] = video.numbers;
    byId("detail-facts").textContent = word("facts", { folder: `\u2068${video.folder}\u2069`, length: clock(1000 * lengthS, 0), face: clock(1000 * faceS, 0), tracks: number(tracks) });
    const notes = Array.isArray(video.notes) ? video.notes : video.notes[AnnotateWords.language];
    byId("detail-notes").replaceChildren(...notes.map((text) => make("span", { text })));
    byId("detail-notes").hidden = !notes.length;
    document.title = `${video.name} \u2013 ${word("title", { name: document.body.dataset.name })}`;
    setLink(byId("previous"), neighbor(video, -1));
    setLink(byId("next"), neighbor(video, 1));
    window.scrollTo(0, 0);
    let data;
    try {
      data = await loadData(video);
    } catch {
      data = undefined;
    }
    if (opened !== video) return;
    if (!data) {
      byId("player").replaceChildren(make("p", { role: "alert", text: missingText(video.part) }));
      return;
    }
    player = AnnotatePlayer.mount(byId("player"), data, { videoUrl: video.url, videoName: video.name, words: playerWords });
    if (seconds) player.seek(1000 * seconds);
    player.focus();
  }

  function close() {
    if (player) player.destroy();
    player = undefined;
    opened = null;
    byId("player").replaceChildren();
  }

  function showOverview() {
    const left = opened;
    const wasHidden = byId("overview").hidden;
    close();
    document.title = word("title", { name: document.body.dataset.name });
    byId("detail").hidden = true;
    byId("overview").hidden = false;
    const anchor = byId(decodeURIComponent(location.hash.slice(1)));
    const isAnchor = anchor && anchor.matches("section");
    if (!isAnchor) overviewHash = location.hash || "#";
    const text = isAnchor ? overviewHash : location.hash;
    if (wasHidden || !byId("list").firstChild || text !== AnnotateViews.hash()) AnnotateViews.show(text);
    drawCharts();
    if (isAnchor) {
      anchor.scrollIntoView();
      anchor.focus();
    } else if (left) {
      const row = AnnotateTable.reveal(left.key);
      window.scrollTo(0, overviewScroll);
      const link = row && row.querySelector("a");
      if (link) link.focus({ preventScroll: true });
    }
  }

  function route() {
    const [key, ...rest] = location.hash.startsWith(VIDEO_HASH) ? location.hash.slice(VIDEO_HASH.length).split("&") : [""];
    const video = byKey.get(key);
    if (video && video.opens) open(video, Number(new URLSearchParams(rest.join("&")).get("t")) || 0);
    else showOverview();
  }

  /* Charts are drawn when the overview is first shown, since a hidden one has no size. */
  function drawCharts() {
    if (byId("overview").hidden) return;
    for (const { key, series } of parse("data-figures")) {
      const element = byId(`chart-${key}`);
      if (element.firstChild) continue;
      const named = series.map(({ emotion, colour, values }) => ({ name: emotionWord(emotion), colour, values }));
      if (key === "shares") AnnotateCharts.draw(element, { axis: "y", labels: [""], series: named, tooltip: (share) => percent(share, 1) });
      else {
        const bins = series[0].values.map((_, bin) => percent(bin / series[0].values.length));
        AnnotateCharts.draw(element, { axis: "x", labels: bins, series: named, labelTitle: word("confidence"), valueTitle: word("minutes"), tooltip: (minutes) => number(minutes, 2) });
      }
    }
  }

  let messageTimer = 0;

  function say(text) {
    byId("message").textContent = text;
    byId("message").hidden = false;
    clearTimeout(messageTimer);
    messageTimer = setTimeout(() => (byId("message").hidden = true), 4000);
  }

  /* Copies the address of the page with a fragment, which also becomes that of the page: a browser may forbid copying. */
  async function copyLink(hash) {
    history.replaceState(null, "", hash);
    try {
      await navigator.clipboard.writeText(location.href);
      say(word("copied"));
    } catch {
      say(word("notCopied"));
    }
  }

  function start() {
    translate();
    AnnotateTable.start();
    AnnotateViews.start({ loadScript, copyLink, missingText, changed: (hash) => (overviewHash = hash) });
    window.addEventListener("hashchange", route);
    byId("copy-moment").addEventListener("click", () => opened && copyLink(`${VIDEO_HASH}${opened.key}&t=${player ? (player.timeline.nowMs / 1000).toFixed(3) : 0}`));
    document.addEventListener("keydown", (event) => {
      if (!player || event.target !== document.body || event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === "ArrowLeft" || event.key === "ArrowRight") player.jump(event.key === "ArrowLeft" ? -1 : 1);
    });
    route();
    if (!opened && location.hash.includes("=")) byId("videos").scrollIntoView();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
  return { receive };
})();
