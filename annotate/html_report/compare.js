"use strict";

/* Videos, folders, persons or groups of trials side by side: a bar of emotions each, and their numbers. */
const AnnotateCompare = (() => {
  const { make, clock } = AnnotateElements;
  const { page, parse, word, emotionWord, emotions, number, percent } = AnnotateWords;
  const { videos } = AnnotateVideos;
  const FIRST = 4;
  const BAR_PX = 34;
  const FACE_TIME = 2;
  const groups = parse("data-groups");
  const byId = (id) => document.getElementById(id);
  if (groups.person) groups.person.forEach((group, index) => (group.name = AnnotateMoments.personName(index)));
  if (videos.length > 1) groups.video = videos.map((video) => ({ id: video.key, name: video.name, numbers: video.numbers, shares: video.shares }));
  const KINDS = ["video", "folder", "person", "condition", "participant", "trial"].filter((by) => by in groups);

  const idOf = (item) => item.id || item.name;
  const optional = (value, format) => (value === null ? "" : format(value));
  const inSeconds = (value) => clock(1000 * value, 0);
  const MEASURES = [
    ["length", "duration_s", 0, inSeconds], ["faceTime", "face_s", 1, inSeconds], ["faces", "faces", 3, number],
    ["confidence", "confidence", 4, percent], ["changes", "changes_per_minute", 5, (value) => number(value, 1)],
  ];

  /* The chosen items of a kind, else those with the most face time. */
  function itemsOf(query) {
    const all = groups[query.by] || [];
    const byItem = new Map(all.map((item) => [idOf(item), item]));
    const chosen = query.item.map((id) => byItem.get(id)).filter(Boolean);
    return chosen.length ? chosen : [...all].sort((one, other) => other.numbers[FACE_TIME] - one.numbers[FACE_TIME]).slice(0, FIRST);
  }

  /* Names to choose from that contain a text, a few of them. */
  function candidates(by, text) {
    const part = text.toLowerCase();
    return (groups[by] || []).filter(({ name }) => name.toLowerCase().includes(part)).slice(0, 50);
  }

  function show(query, go) {
    const items = itemsOf(query);
    const ids = items.map(idOf);
    const shown = [...emotions.values()].filter(({ name }) => items.some(({ shares }) => shares[name] > 0));
    const head = items.map((item) => {
      const remove = make("button", { type: "button", class: "remove", "aria-label": word("remove", { name: item.name }), text: "\u00d7", onclick: () => go({ item: ids.filter((id) => id !== idOf(item)) }) });
      const name = query.by === "video" ? make("a", { href: `#video-${item.id}`, text: item.name }) : make("bdi", { text: item.name });
      return make("th", { scope: "col" }, name, items.length > 1 ? remove : null);
    });
    const lines = MEASURES.map(([key, , at, format]) => [word(key), ...items.map(({ numbers }) => optional(numbers[at], format))]);
    for (const { name } of shown) lines.push([emotionWord(name), ...items.map(({ shares }) => percent(shares[name] || 0, 1))]);
    const rows = lines.map(([name, ...cells]) => make("tr", {}, make("th", { scope: "row", text: name }), ...cells.map((text) => make("td", { text }))));
    const table = make("table", { class: "compare", "aria-label": word("viewCompare") }, make("thead", {}, make("tr", {}, make("th", { scope: "col", text: word("measure") }), ...head)), make("tbody", {}, ...rows));
    const plot = make("div", { class: "plot", role: "img", "aria-label": word("sameInTable", { title: word("sharesTitle") }) });
    plot.style.height = `${BAR_PX * items.length + 8}px`;
    byId("list").replaceChildren(plot, make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": word("viewCompare") }, table));
    const series = shown.map(({ name, colour, word: text }) => ({ name: text, colour, values: items.map(({ shares }) => shares[name] || 0) }));
    if (window.Chart && shown.length) AnnotateCharts.draw(plot, { axis: "y", labels: items.map(({ name }) => shorten(name)), series, tooltip: (share) => percent(share, 1) });
    else plot.remove();
  }

  const shorten = (name) => (name.length <= 24 ? name : `${name.slice(0, 8)}\u2026${name.slice(-15)}`);

  function csv(query) {
    const names = [...emotions.keys()];
    const heads = ["name", ...MEASURES.map(([, head]) => head), ...names];
    return [heads, itemsOf(query).map(({ name, numbers, shares }) => [name, ...MEASURES.map(([, , at]) => numbers[at]), ...names.map((emotion) => shares[emotion] || 0)])];
  }

  /* Adds the item of a kind with a name, as it is typed; returns whether there is one. */
  function add(query, name, go) {
    const item = (groups[query.by] || []).find((each) => each.name === name);
    if (!item) return false;
    go({ item: [...new Set([...itemsOf(query).map(idOf), idOf(item)])] });
    return true;
  }

  return { KINDS, show, csv, add, candidates, personNames: page.persons.map((_, index) => AnnotateMoments.personName(index)) };
})();
