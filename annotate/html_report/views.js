"use strict";

/* The views of the overview (videos, moments, comparison) with their filters, which the URL fragment keeps. */
const AnnotateViews = (() => {
  const { make } = AnnotateElements;
  const { page, word, emotions, number } = AnnotateWords;
  const { videos, chosen } = AnnotateVideos;
  const { KINDS, personNames } = AnnotateCompare;
  const VIEWS = ["videos", "moments", ...(KINDS.length ? ["compare"] : [])];
  const TITLES = { videos: "viewVideos", moments: "viewMoments", compare: "viewCompare" };
  const FILTERS = { videos: ["q", "emotion", "min_share", "person", "trial", "min_s", "max_s", "state"], moments: ["q", "emotion", "person", "trial", "min_confidence", "min_s", "max_s"], compare: ["by"] };
  const EMPTY = { view: "videos", q: "", emotion: "", min_share: "", person: "", trial: "", min_s: "", max_s: "", state: "", min_confidence: "", by: KINDS[0] || "", item: [], sort: "" };
  const byId = (id) => document.getElementById(id);
  let query = { ...EMPTY };
  let tools;

  function parse(hash) {
    const values = new URLSearchParams(hash.slice(1));
    const read = { ...EMPTY };
    for (const key of Object.keys(EMPTY)) if (key !== "item" && values.get(key)) read[key] = values.get(key);
    read.item = values.getAll("item");
    if (!VIEWS.includes(read.view)) read.view = "videos";
    if (!KINDS.includes(read.by)) read.by = EMPTY.by;
    return read;
  }

  function hash() {
    const values = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) {
      if (key === "item") value.forEach((item) => values.append("item", item));
      else if (value && value !== EMPTY[key]) values.set(key, value);
    }
    return `#${values}`;
  }

  function go(change) {
    query = { ...query, ...change };
    history.replaceState(null, "", hash());
    tools.changed(hash());
    render();
  }

  function show(text) {
    query = parse(text);
    render();
  }

  const option = (value, text) => make("option", { value, text });

  function select(name, label, ...options) {
    return make("label", {}, word(label), make("select", { name }, ...options));
  }

  function input(name, label, options) {
    return make("label", {}, word(label), make("input", { name, autocomplete: "off", ...options }));
  }

  const AMOUNT = { type: "number", min: 0, step: "any", inputmode: "decimal" };
  const SHARE = { ...AMOUNT, max: 100 };
  const STATES = ["annotated", "older", "truncated", "damaged", "outdated"];

  const hasStates = videos.some(({ states }) => states.length);

  function trialOptions() {
    return [["condition", "conditions", 1], ["participant", "participants", 2], ["trial", "trials", 0]].flatMap(([kind, label, at]) => {
      const names = [...new Set(page.trials.map((trial) => trial[at]))].filter(Boolean);
      return names.length ? [make("optgroup", { label: word(label) }, ...names.map((name) => option(`${kind}:${name}`, name)))] : [];
    });
  }

  const FIELDS = {
    q: () => input("q", "search", { type: "search", id: "search", placeholder: word("searchHint"), title: word("searchNote", { share: AnnotateWords.percent(page.notable) }) }),
    emotion: () => select("emotion", "emotion", option("", word("anyEmotion")), ...[...emotions.values()].map(({ name, word: text }) => option(name, text))),
    min_share: () => input("min_share", "minShare", SHARE),
    person: () => (page.persons.length ? select("person", "personFilter", option("", word("anyPerson")), ...personNames.map((name, index) => option(index, name))) : null),
    trial: () => (page.trials.length ? select("trial", "trialFilter", option("", word("anyTrial")), ...trialOptions()) : null),
    min_confidence: () => input("min_confidence", "minConfidence", SHARE),
    min_s: () => input("min_s", "minLength", AMOUNT),
    max_s: () => input("max_s", "maxLength", AMOUNT),
    state: () => hasStates && select("state", "state", option("", word("anyState")), ...STATES.map((state) => option(state, word(state)))),
    by: () => select("by", "compareBy", ...KINDS.map((by) => option(by, word(`by${by[0].toUpperCase()}${by.slice(1)}`)))),
  };

  function adder() {
    const list = make("datalist", { id: "candidates" });
    const field = make("input", { id: "add", list: "candidates", autocomplete: "off" });
    const suggest = () => list.replaceChildren(...AnnotateCompare.candidates(query.by, field.value).map(({ name }) => option(name, "")));
    field.addEventListener("focus", suggest);
    field.addEventListener("input", () => {
      if (AnnotateCompare.add(query, field.value, go)) field.value = "";
      else suggest();
    });
    return make("label", {}, word("addToCompare"), field, list);
  }

  /* Builds the form of a view when the view changes, and fills in values that are not being typed. */
  function renderFilters() {
    const form = byId("filters");
    if (form.dataset.view !== query.view) {
      const fields = FILTERS[query.view].map((name) => FIELDS[name]()).filter(Boolean);
      form.replaceChildren(...fields, ...(query.view === "compare" ? [adder()] : []));
      form.dataset.view = query.view;
    }
    for (const name of FILTERS[query.view]) {
      const field = form.elements[name];
      if (field && document.activeElement !== field) field.value = query[name];
    }
  }

  function renderTabs() {
    const tabs = document.querySelector(".tabs");
    if (!tabs.firstChild) {
      for (const view of VIEWS) tabs.append(make("button", { type: "button", role: "tab", id: `tab-${view}`, "aria-controls": "list", text: word(TITLES[view]), onclick: () => go({ view, sort: "" }) }));
      tabs.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = VIEWS[(VIEWS.indexOf(query.view) + step + VIEWS.length) % VIEWS.length];
        go({ view: next, sort: "" });
        byId(`tab-${next}`).focus();
        event.preventDefault();
      });
    }
    for (const view of VIEWS) {
      byId(`tab-${view}`).setAttribute("aria-selected", String(view === query.view));
      byId(`tab-${view}`).tabIndex = view === query.view ? 0 : -1;
    }
    byId("list").setAttribute("aria-labelledby", `tab-${query.view}`);
  }

  const isFiltered = () => FILTERS[query.view].some((name) => name !== "by" && query[name]);

  function renderActions() {
    const actions = [];
    if (isFiltered()) actions.push(["resetFilters", () => go(Object.fromEntries(FILTERS[query.view].map((name) => [name, EMPTY[name]])))]);
    actions.push(["copyLink", () => tools.copyLink(hash())], ["csv", save]);
    const buttons = actions.map(([key, onclick]) => make("button", { type: "button", id: key, text: word(key), onclick }));
    if (query.view === "videos" && chosen.size) buttons.unshift(make("button", { type: "button", id: "compare", text: word("compareChosen", { number: chosen.size }), onclick: () => go({ view: "compare", by: "video", item: [...chosen], sort: "" }) }));
    byId("actions").replaceChildren(...buttons);
  }

  function save() {
    const [heads, lines] = query.view === "videos" ? AnnotateVideos.csv(AnnotateTable.rows()) : query.view === "moments" ? AnnotateMoments.csv(AnnotateTable.rows()) : AnnotateCompare.csv(query);
    AnnotateTable.save(`${query.view}.csv`, heads, lines);
  }

  function hint(text) {
    byId("hint").textContent = text;
    byId("hint").hidden = !text;
  }

  function renderVideos() {
    const rows = AnnotateVideos.find(query);
    AnnotateTable.show({ rows, columns: AnnotateVideos.columnsFor(query, renderActions), sort: query.sort, label: word("viewVideos"), kind: page.folders.length > 1 ? "videos" : "videos flat", onSort: (sort) => go({ sort }), keyOf: ({ key }) => key });
    byId("count").textContent = isFiltered() ? word("videoCount", { shown: number(rows.length), all: number(videos.length) }) : "";
    hint("");
  }

  async function renderMoments() {
    const asked = query;
    byId("count").textContent = word("loading");
    try {
      await AnnotateMoments.load(tools.loadScript);
    } catch (error) {
      AnnotateTable.clear();
      byId("count").textContent = "";
      hint(tools.missingText(error.message));
      return;
    }
    if (asked !== query) return;
    const rows = AnnotateMoments.find(query);
    AnnotateTable.show({ rows, columns: AnnotateMoments.columns(), sort: query.sort, label: word("viewMoments"), kind: page.folders.length > 1 ? "moments" : "moments flat", onSort: (sort) => go({ sort }), keyOf: ({ video }) => video.key });
    byId("count").textContent = word("momentCount", { number: number(rows.length) });
    hint(word("momentHint"));
  }

  function renderCompare() {
    AnnotateTable.clear();
    AnnotateCompare.show(query, go);
    byId("count").textContent = "";
    hint(word("compareHint"));
  }

  function render() {
    renderTabs();
    renderFilters();
    renderActions();
    ({ videos: renderVideos, moments: renderMoments, compare: renderCompare })[query.view]();
  }

  function start(given) {
    tools = given;
    const form = byId("filters");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", ({ target }) => {
      if (!target.name) return; // that of names to compare
      go({ [target.name]: target.value, ...(target.name === "by" ? { item: [] } : {}) });
    });
  }

  return { start, show, hash };
})();
