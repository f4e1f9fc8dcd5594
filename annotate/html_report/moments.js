"use strict";

/* Moments: runs of blocks in which a face has one emotion, found as `annotate find` does. */
const AnnotateMoments = (() => {
  const { make, clock } = AnnotateElements;
  const { page, word, emotionWord, emotions, number, percent } = AnnotateWords;
  const { byKey, isEmotion, wordsOf } = AnnotateVideos;
  const FACE = 0, EMOTION = 1, BLOCKS = 2, BLOCK = 3;
  const SCORE_SCALE = 10000;
  const names = page.emotions.map(({ name }) => name);
  const spansOf = new Map();
  const loaded = [];

  for (const [name, condition, participant, index, startMs, endMs] of page.trials) {
    for (const key of [`trial:${name}`, `condition:${condition}`, `participant:${participant}`]) {
      if (!spansOf.has(key)) spansOf.set(key, new Map());
      const own = spansOf.get(key);
      own.set(index, [...(own.get(index) || []), [startMs, endMs]]);
    }
  }

  /* Adds an object of runs by key of the video. */
  function add(part) {
    for (const [key, runs] of Object.entries(part)) if (byKey.has(key)) loaded.push([byKey.get(key), runs]);
  }

  let loading;

  /* Loads all runs: from the page, or one file after the other. */
  function load(loadScript) {
    loading ??= (async () => {
      for (const element of document.querySelectorAll(".data-moments")) add(JSON.parse(element.textContent));
      for (const url of page.moments) await loadScript(url);
    })();
    return loading;
  }

  /* Calls `found` for each moment of a run: it ends with a block below the minimum confidence, and with the span. */
  function split(run, [fromMs, toMs], minScore, found) {
    let startMs = -1, endMs = 0, timeMs = 0, weighted = 0;
    const end = () => {
      if (startMs >= 0) found(startMs, endMs, weighted / timeMs / SCORE_SCALE);
      startMs = -1;
      timeMs = weighted = 0;
    };
    for (let at = BLOCKS; at < run.length; at += BLOCK) {
      const blockStartMs = Math.max(run[at], fromMs), blockEndMs = Math.min(run[at + 1], toMs);
      if (blockStartMs >= blockEndMs) continue;
      if (run[at + 2] < minScore) {
        end();
        continue;
      }
      if (startMs < 0) startMs = blockStartMs;
      endMs = blockEndMs;
      timeMs += blockEndMs - blockStartMs;
      weighted += run[at + 2] * (blockEndMs - blockStartMs);
    }
    end();
  }

  const WHOLE = [[0, Infinity]];

  function find(query) {
    const words = wordsOf(query.q);
    const minScore = Math.round((Number(query.min_confidence) || 0) * (SCORE_SCALE / 100));
    const minMs = 1000 * (Number(query.min_s) || 0), maxMs = query.max_s ? 1000 * Number(query.max_s) : Infinity;
    const emotion = query.emotion ? names.indexOf(query.emotion) : -1;
    const person = query.person ? Number(query.person) : -1;
    const spans = query.trial ? spansOf.get(query.trial) || new Map() : null;
    const result = [];
    for (const [video, runs] of loaded) {
      const own = spans ? spans.get(video.index) : WHOLE;
      if (!own) continue;
      const further = words.filter((text) => !video.text.includes(text));
      if (person >= 0 && !video.persons.includes(person)) continue;
      for (const run of runs) {
        if (emotion >= 0 && run[EMOTION] !== emotion) continue;
        if (person >= 0 && personOf(video, run[FACE]) !== person) continue;
        if (!further.every((text) => isEmotion(text, names[run[EMOTION]]))) continue;
        for (const span of own) {
          split(run, span, minScore, (startMs, endMs, confidence) => {
            const lengthMs = endMs - startMs;
            if (lengthMs >= minMs && lengthMs <= maxMs) result.push({ video, face: run[FACE], emotion: names[run[EMOTION]], startMs, endMs, confidence });
          });
        }
      }
    }
    return query.sort ? result : result.sort((one, other) => one.video.index - other.video.index || one.startMs - other.startMs || one.face - other.face);
  }

  const personOf = (video, face) => video.faces[face] ?? -1;

  function personName(index) {
    const { name, number: own, video } = page.persons[index];
    return name || word(video ? "personOf" : "person", { number: own, video });
  }

  function whose({ video, face }) {
    const person = personOf(video, face);
    if (person < 0) return word("face", { number: face });
    const { name, number: own } = page.persons[person];
    return name || word("person", { number: own });
  }

  const linkOf = ({ video, startMs }) => `#video-${video.key}&t=${startMs / 1000}`;

  function emotionCell(name) {
    const mark = make("i");
    mark.style.background = emotions.get(name).colour;
    return [mark, emotionWord(name)];
  }

  const COLUMNS = [
    { key: "name", kind: "name", isText: true, value: ({ video }) => video.name, cell: (moment) => make("a", { href: linkOf(moment), title: moment.video.name }, make("bdi", { text: moment.video.name })) },
    { key: "folder", kind: "folder", isText: true, value: ({ video }) => video.folder, cell: ({ video }) => make("bdi", { text: video.folder, title: video.folder }) },
    { key: "whose", kind: "whose", isText: true, value: whose, cell: (moment) => make("bdi", { text: whose(moment) }) },
    { key: "emotion", kind: "mostly", isText: true, value: ({ emotion }) => emotionWord(emotion), cell: ({ emotion }) => emotionCell(emotion) },
    { key: "from", kind: "number", value: ({ startMs }) => startMs, cell: ({ startMs }) => clock(startMs, 1) },
    { key: "seconds", kind: "number", value: ({ startMs, endMs }) => endMs - startMs, cell: ({ startMs, endMs }) => number((endMs - startMs) / 1000, 1) },
    { key: "confidence", kind: "number confidence", value: ({ confidence }) => confidence, cell: ({ confidence }) => percent(confidence) },
  ];

  const columns = () => COLUMNS.filter(({ key }) => key !== "folder" || page.folders.length > 1);

  function csv(rows) {
    const heads = ["video", "folder", "face_id", "start_time", "end_time", "duration_s", "emotion", "confidence"];
    const hasPersons = page.persons.length > 0;
    return [[...heads, ...(hasPersons ? ["person", "name"] : [])], rows.map((moment) => {
      const { video, face, emotion, startMs, endMs, confidence } = moment;
      const person = page.persons[personOf(video, face)];
      const line = [video.name, video.folder, face, startMs / 1000, endMs / 1000, (endMs - startMs) / 1000, emotion, Number(confidence.toFixed(4))];
      return hasPersons ? [...line, person ? person.number : 0, person ? person.name : ""] : line;
    })];
  }

  return { add, load, find, columns, csv, personName };
})();
