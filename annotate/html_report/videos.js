"use strict";

/* The table of videos: its columns, and the search by words, emotion and share, person, trial, length and state. */
const AnnotateVideos = (() => {
  const { make, clock } = AnnotateElements;
  const { page, parse, word, emotionWord, emotions, number, percent } = AnnotateWords;
  const LENGTH_S = 0, FACE_S = 1, TRACKS = 3, CONFIDENCE = 4, CHANGES = 5;
  const MIN_BEGINNING = 3;
  const DEFAULTS = { shares: {}, faces: {}, states: [], notes: [], main: "", part: "", url: "" };
  const videos = parse("data-table").map((video, index) => ({ ...DEFAULTS, ...video, index, persons: [...new Set(Object.values(video.faces || {}))], text: `${video.name}\n${video.folder}`.toLowerCase() }));
  const byKey = new Map(videos.map((video) => [video.key, video]));
  const trialVideos = new Map();
  const chosen = new Set();

  for (const [name, condition, participant, index] of page.trials) {
    for (const key of [`trial:${name}`, `condition:${condition}`, `participant:${participant}`]) {
      if (!trialVideos.has(key)) trialVideos.set(key, new Set());
      trialVideos.get(key).add(index);
    }
  }

  /* Whether a searched word is an emotion or the beginning of one, in the language of the page or in English. */
  function isEmotion(text, name) {
    const names = `${name} ${emotionWord(name)}`.toLowerCase().split(/\s+/);
    return names.includes(text) || (text.length >= MIN_BEGINNING && names.some((each) => each.startsWith(text)));
  }

  const notable = (video) => Object.keys(video.shares).filter((name) => name === video.main || video.shares[name] >= page.notable);
  const wordsOf = (query) => query.toLowerCase().split(/\s+/).filter(Boolean);

  function hasWords(video, words) {
    return words.every((text) => video.text.includes(text) || notable(video).some((name) => isEmotion(text, name)));
  }

  /* Videos with the emotions that are searched for by name: first those in which one is the main one, then by share. */
  function compareShares(names) {
    const rank = (video) => [names.includes(video.main) ? 1 : 0, Math.max(0, ...names.map((name) => video.shares[name] || 0))];
    return (one, other) => {
      const [left, right] = [rank(one), rank(other)];
      return right[0] - left[0] || right[1] - left[1];
    };
  }

  function hasState(video, state) {
    return !state || (state === "annotated" ? !video.states.length : video.states.includes(state));
  }

  function find(query) {
    const words = wordsOf(query.q);
    const minShare = query.min_share ? Number(query.min_share) / 100 : 0;
    const names = [...emotions.keys()].filter((name) => words.some((text) => isEmotion(text, name)));
    const found = videos.filter((video) => {
      const lengthS = video.numbers[LENGTH_S];
      if (query.emotion && !((video.shares[query.emotion] || 0) >= (minShare || Number.MIN_VALUE))) return false;
      if (!query.emotion && minShare && !Object.values(video.shares).some((share) => share >= minShare)) return false;
      if (query.person && !video.persons.includes(Number(query.person))) return false;
      if (query.trial && !(trialVideos.get(query.trial) || new Set()).has(video.index)) return false;
      if (query.min_s && lengthS < Number(query.min_s)) return false;
      if (query.max_s && lengthS > Number(query.max_s)) return false;
      return hasState(video, query.state) && hasWords(video, words);
    });
    if (query.sort) return found;
    if (query.emotion) return found.sort((one, other) => other.shares[query.emotion] - one.shares[query.emotion]);
    return names.length ? found.sort(compareShares(names)) : found;
  }

  function sharesBar(shares, main = "") {
    const ordered = Object.entries(shares).sort(([one, left], [other, right]) => (other === main) - (one === main) || right - left);
    const text = ordered.filter(([, share]) => share >= 0.005).map(([name, share]) => `${emotionWord(name)} ${percent(share)}`).join(", ");
    let end = 0;
    const stops = Object.entries(shares).map(([name, share]) => {
      const start = end;
      end += share;
      return `${emotions.get(name).colour} ${(100 * start).toFixed(1)}% ${(100 * end).toFixed(1)}%`;
    });
    const bar = make("span", { role: "img", "aria-label": text, title: text });
    bar.style.background = stops.length > 1 ? `linear-gradient(90deg, ${stops.join(", ")})` : stops[0].split(" ")[0];
    return bar;
  }

  function nameCell(video, onChoose) {
    const box = make("input", { type: "checkbox", "aria-label": word("compareVideo", { name: video.name }) });
    box.checked = chosen.has(video.key);
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(video.key);
      else chosen.delete(video.key);
      onChoose();
    });
    const name = make("bdi", { text: video.name });
    const link = video.opens ? make("a", { href: `#video-${video.key}`, title: video.name }, name) : name;
    return [box, link, ...video.states.map((state) => make("span", { class: "mark", text: word(state) }))];
  }

  const text = (value) => make("bdi", { text: value });
  const optional = (value, format) => (value === null || value === undefined ? "" : format(value));

  const peopleIn = (video) => (video.persons.length ? [make("small", { text: `${word("peopleHead")}: ${number(video.persons.length)}` })] : []);

  function columnsFor(query, onChoose) {
    const share = (video) => (query.emotion ? video.shares[query.emotion] || 0 : video.shares[video.main] ?? null);
    const columns = [
      { key: "name", kind: "name", isText: true, value: (video) => video.name, cell: (video) => nameCell(video, onChoose) },
      { key: "folder", kind: "folder", isText: true, value: (video) => video.folder, cell: (video) => make("span", { title: video.folder }, text(video.folder)) },
      { key: "length", kind: "number length", value: (video) => video.numbers[LENGTH_S], cell: (video) => clock(1000 * video.numbers[LENGTH_S], 0) },
      { key: "faceTime", kind: "number", value: (video) => video.numbers[FACE_S], cell: (video) => clock(1000 * video.numbers[FACE_S], 0) },
      { key: "faces", kind: "number", value: (video) => video.numbers[TRACKS], cell: (video) => [number(video.numbers[TRACKS]), ...peopleIn(video)] },
      { key: "mostly", kind: "mostly", isText: true, value: (video) => emotionWord(video.main), cell: (video) => emotionWord(video.main) },
      { key: "confidence", kind: "number extra", value: (video) => video.numbers[CONFIDENCE], cell: (video) => optional(video.numbers[CONFIDENCE], percent) },
      { key: "changes", kind: "number extra", value: (video) => video.numbers[CHANGES], cell: (video) => optional(video.numbers[CHANGES], (value) => number(value, 1)) },
      { key: "emotions", kind: "shares", value: share, cell: (video) => (video.main ? [sharesBar(video.shares, video.main), ...(query.emotion ? [make("small", { text: percent(share(video)) })] : [])] : []) },
    ];
    return columns.filter(({ key }) => key !== "folder" || page.folders.length > 1);
  }

  const hasPersons = videos.some((video) => video.persons.length);

  const HEADS = ["video", "folder", "duration_s", "face_s", "face_time_s", "faces", "dominant", "confidence", "changes_per_minute"];

  function csv(rows) {
    const names = [...emotions.keys()];
    const people = hasPersons ? ["people"] : [];
    return [[...HEADS, ...names, ...people, "states"], rows.map(({ name, folder, numbers, main, shares, persons, states }) => {
      const [duration, face, faceTime, tracks, confidence, changes] = numbers;
      return [name, folder, duration, face, faceTime, tracks, main, confidence, changes, ...names.map((emotion) => shares[emotion] || 0), ...people.map(() => persons.length), states.join(" ")];
    })];
  }

  return { videos, byKey, chosen, find, columnsFor, csv, isEmotion, wordsOf, sharesBar };
})();
