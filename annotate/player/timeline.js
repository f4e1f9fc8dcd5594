"use strict";

/* Timeline with one lane per face and one bar per block; its color is the emotion, its height the model confidence. */
const AnnotateTimeline = (() => {
  const { make, fill, clock } = AnnotateElements;
  const SVG = "http://www.w3.org/2000/svg";
  const SCORE_SCALE = 10000;
  const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 18000, 36000];
  const TICK_PX = 72;
  const MAX_PX_PER_SECOND = 120;
  /* Within this time after a change, "previous" means the change before it; longer while playing, as time goes on. */
  const PREVIOUS_MARGIN_MS = 50;
  const PREVIOUS_MARGIN_PLAYING_MS = 800;
  const MAX_FACES_IN_TIP = 8;
  const FOLLOW_INTERVAL_MS = 500;

  /* Binary search: the last index with at(index) <= value, or -1. */
  function lastIndexAtMost(count, at, value) {
    let low = -1, high = count;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (at(middle) <= value) low = middle;
      else high = middle;
    }
    return low;
  }

  function spanAt(spans, ms) {
    const found = lastIndexAtMost(spans.length, (index) => spans[index][0], ms);
    return found >= 0 && ms < spans[found][1] ? spans[found] : null;
  }

  /* Times at which a face appears, reappears or changes its emotion, in ms. */
  function changesOf(spans) {
    return spans
      .filter((span, index) => !index || spans[index - 1][1] < span[0] || spans[index - 1][2] !== span[2])
      .map((span) => span[0]);
  }

  function score(value) {
    return (value / SCORE_SCALE).toFixed(2);
  }

  class Timeline {
    /* `actions`: seek(ms), togglePlaying(), isPlaying(). */
    constructor(data, words, actions) {
      this.data = data;
      this.words = words;
      this.actions = actions;
      this.endMs = Math.max(1, data.end_ms);
      this.nowMs = 0;
      this.zoom = 1;
      this.width = 1;
      this.rows = [{ name: words.allFaces, lanes: data.lanes }];
      for (const lane of data.lanes) {
        this.rows.push({ name: this.nameOf(lane), lanes: [lane], thumbnail: lane.thumbnail });
      }
      for (const row of this.rows) {
        const times = row.lanes.flatMap((lane) => changesOf(lane.spans));
        row.changes = [...new Set(times)].sort((one, other) => one - other);
      }
      this.build();
      this.observer = new ResizeObserver(() => this.drawTicks());
      this.observer.observe(this.scroller);
      this.rows.forEach((row) => this.updateAria(row));
      this.show(0);
    }

    nameOf(lane) {
      if (lane.name) return lane.name;
      return lane.person ? fill(this.words.person, { number: lane.person }) : fill(this.words.face, { number: lane.face });
    }

    word(emotion) {
      const { name } = this.data.emotions[emotion];
      return this.words.emotions[name] || name;
    }

    build() {
      this.tip = make("div", { class: "ap-tip", "aria-hidden": "true", hidden: "" });
      this.cursor = make("div", { class: "ap-cursor", "aria-hidden": "true" });
      this.inner = make("div", { class: "ap-inner" });
      this.rows.forEach((row, number) => this.inner.append(this.buildRow(row, number)));
      this.inner.append(this.cursor);
      this.scroller = make("div", { class: "ap-scroller" }, this.inner);
      this.element = make("div", { class: "ap-timeline", role: "group", "aria-label": this.words.timeline }, this.scroller, this.tip);
      this.element.addEventListener("keydown", (event) => this.onKey(event));
      this.scroller.addEventListener("scroll", () => this.onScroll(), { passive: true });
      this.select(0);
    }

    buildRow(row, number) {
      const label = make("div", { class: "ap-label" });
      if (number === 0) label.append(this.buildZoom());
      else {
        if (this.data.lanes.some((lane) => lane.thumbnail)) label.append(this.buildThumbnail(row));
        label.append(make("span", { text: row.name }));
      }
      const track = make("div", {
        class: "ap-track",
        role: "slider",
        "aria-label": row.name,
        "aria-orientation": "horizontal",
        "aria-valuemin": 0,
        "aria-valuemax": this.endMs / 1000,
      });
      row.track = track;
      track.append(number === 0 ? (this.ticks = make("div", { class: "ap-ticks", "aria-hidden": "true" })) : this.drawLane(row));
      track.addEventListener("focus", () => {
        this.select(number);
        this.updateAria(row);
        if (track.matches(":focus-visible")) this.showTipAtNow(row);
      });
      track.addEventListener("blur", () => this.hideTip());
      track.addEventListener("pointerdown", (event) => this.onPress(event, number));
      track.addEventListener("pointermove", (event) => this.onMove(event, row));
      track.addEventListener("pointerleave", () => this.hideTip());
      return make("div", { class: number === 0 ? "ap-row ap-ruler" : "ap-row" }, label, track);
    }

    buildThumbnail(row) {
      if (!row.thumbnail) return make("span", { class: "ap-face" });
      return make("img", { class: "ap-face", src: row.thumbnail, alt: "", width: 36, height: 36 });
    }

    buildZoom() {
      this.zoomButtons = [["zoomOut", "ap-minus", 0.5], ["zoomIn", "ap-plus", 2]].map(([key, sign, factor]) => {
        const button = make("button", { type: "button", class: `ap-zoom ${sign}`, "aria-label": this.words[key], title: this.words[key] });
        button.addEventListener("click", () => this.zoomBy(factor));
        return button;
      });
      return make("div", { class: "ap-zooms" }, ...this.zoomButtons);
    }

    /* Draws one path per emotion, not one per block, since a film has thousands of blocks. */
    drawLane(row) {
      const svg = document.createElementNS(SVG, "svg");
      svg.setAttribute("viewBox", `0 0 ${this.endMs} ${SCORE_SCALE}`);
      svg.setAttribute("preserveAspectRatio", "none");
      svg.setAttribute("aria-hidden", "true");
      const outlines = this.data.emotions.map(() => []);
      for (const span of row.lanes[0].spans) {
        const top = SCORE_SCALE - span[3 + span[2]];
        outlines[span[2]].push(`M${span[0]} ${SCORE_SCALE}V${top}H${span[1]}V${SCORE_SCALE}`);
      }
      outlines.forEach((outline, emotion) => {
        if (!outline.length) return;
        const path = document.createElementNS(SVG, "path");
        path.setAttribute("d", outline.join(""));
        path.setAttribute("data-emotion", this.data.emotions[emotion].name);
        path.style.fill = this.data.emotions[emotion].colour;
        svg.append(path);
      });
      return svg;
    }

    drawTicks() {
      const width = this.rows[0].track.clientWidth;
      if (!width) return;
      this.width = width;
      const maxTicks = Math.max(1, Math.floor(width / TICK_PX));
      const step = STEPS_S.find((each) => this.endMs / 1000 / each <= maxTicks) || STEPS_S[STEPS_S.length - 1];
      const marks = [];
      for (let number = 0; number * step * 1000 <= this.endMs; number++) {
        const ms = number * step * 1000;
        const mark = make("span", { class: "ap-tick", text: clock(ms, step < 1 ? 1 : 0) });
        mark.style.left = `${(100 * ms) / this.endMs}%`;
        if (width * (1 - ms / this.endMs) < TICK_PX / 2) mark.classList.add("ap-last");
        marks.push(mark);
      }
      this.ticks.replaceChildren(...marks);
      const maxZoom = Math.max(1, ((this.endMs / 1000) * MAX_PX_PER_SECOND) / this.scroller.clientWidth);
      this.zoomButtons[0].disabled = this.zoom <= 1;
      this.zoomButtons[1].disabled = this.zoom >= maxZoom;
    }

    zoomBy(factor) {
      this.zoom = Math.max(1, this.zoom * factor);
      this.inner.style.setProperty("--ap-zoom", this.zoom);
      this.drawTicks();
      this.follow(true);
    }

    /* Makes a row the one that Tab reaches (roving tabindex); arrow keys reach the others. */
    select(number) {
      this.selected = number;
      this.rows.forEach((row, index) => row.track.setAttribute("tabindex", index === number ? 0 : -1));
    }

    focus() {
      this.rows[this.selected].track.focus({ preventScroll: true });
    }

    onKey(event) {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key === " " && event.target.closest("button")) return;
      const rows = this.rows;
      const steps = { ArrowLeft: -1, ArrowRight: 1 };
      if (event.key in steps) this.jump(steps[event.key], rows[this.selected]);
      else if (event.key === "ArrowUp") rows[Math.max(0, this.selected - 1)].track.focus();
      else if (event.key === "ArrowDown") rows[Math.min(rows.length - 1, this.selected + 1)].track.focus();
      else if (event.key === "Home") this.actions.seek(0);
      else if (event.key === "End") this.actions.seek(this.endMs);
      else if (event.key === " ") this.actions.togglePlaying();
      else if (event.key === "+" || event.key === "=") this.zoomButtons[1].click();
      else if (event.key === "-") this.zoomButtons[0].click();
      else if (event.key === "Escape" && !this.tip.hidden) this.hideTip();
      else return;
      event.preventDefault();
      event.stopPropagation();
      const row = this.rows[this.selected];
      this.updateAria(row);
      if (event.key === " ") this.hideTip();
      else if (event.key !== "Escape") this.showTipAtNow(row);
    }

    /* Seeks to the next change of a row (default: of all faces), or with -1 to the previous one. */
    jump(direction, row = this.rows[0]) {
      const changes = row.changes;
      const margin = this.actions.isPlaying() ? PREVIOUS_MARGIN_PLAYING_MS : PREVIOUS_MARGIN_MS;
      const from = direction > 0 ? this.nowMs : this.nowMs - margin;
      const last = lastIndexAtMost(changes.length, (index) => changes[index], from);
      const next = direction > 0 ? changes[last + 1] : changes[last] ?? 0;
      if (next === undefined) return;
      this.actions.seek(next);
      const changed = this.rows.slice(1).filter((each) => each.changes.includes(next));
      this.reveal(row === this.rows[0] ? changed : [row]);
    }

    /* Scrolls vertically to the first of some rows, unless one of them is visible. */
    reveal(rows) {
      const { scrollTop, clientHeight, scrollHeight } = this.scroller;
      if (scrollHeight <= clientHeight || !rows.length) return;
      const tops = rows.map((row) => row.track.parentElement.offsetTop);
      const { height } = rows[0].track.getBoundingClientRect();
      const first = scrollTop + this.rows[0].track.clientHeight;
      if (!tops.some((top) => top >= first && top + height <= scrollTop + clientHeight)) {
        this.scroller.scrollTop = tops[0] - (clientHeight - height) / 2;
      }
    }

    onScroll() {
      this.hideTip();
      this.coverCursor();
    }

    onPress(event, number) {
      if (event.button !== 0) return;
      const { track } = this.rows[number];
      event.preventDefault();
      track.setPointerCapture(event.pointerId);
      track.focus({ preventScroll: true });
      this.actions.seek(this.timeAt(event, track));
    }

    onMove(event, row) {
      const ms = this.timeAt(event, row.track);
      if (event.buttons & 1 && row.track.hasPointerCapture(event.pointerId)) this.actions.seek(ms);
      this.showTip(row, ms, event.clientX, row.track.getBoundingClientRect());
    }

    timeAt(event, track) {
      const bounds = track.getBoundingClientRect();
      const share = bounds.width ? (event.clientX - bounds.left) / bounds.width : 0;
      return Math.round(Math.min(Math.max(share, 0), 1) * this.endMs);
    }

    /* Moves the cursor; called for every frame while playing. */
    show(ms) {
      this.nowMs = Math.min(Math.max(0, ms), this.endMs);
      this.inner.style.setProperty("--ap-at", this.nowMs / this.endMs);
      this.updateAria(this.rows[this.selected]);
      this.follow(false);
    }

    /* Updates the time and emotions that screen readers announce. */
    updateAria(row) {
      const parts = row.lanes.flatMap((lane) => {
        const span = spanAt(lane.spans, this.nowMs);
        const name = row.lanes.length > 1 ? `${this.nameOf(lane)}: ` : "";
        return span ? [`${name}${this.word(span[2])} ${score(span[3 + span[2]])}${this.machineAt(lane, this.nowMs)}`] : [];
      });
      row.track.setAttribute("aria-valuenow", (this.nowMs / 1000).toFixed(3));
      row.track.setAttribute("aria-valuetext", `${clock(this.nowMs)}, ${parts.join(", ") || this.words.noFace}`);
    }

    /* Scrolls to the cursor and, while playing, to a face that is visible now; with `always` it centers the cursor. */
    follow(always) {
      if (this.zoom > 1 || always) {
        const x = (this.nowMs / this.endMs) * this.width;
        const { scrollLeft } = this.scroller;
        const visible = this.width / this.zoom;
        if (x < scrollLeft || x > scrollLeft + visible || always) this.scroller.scrollLeft = x - visible / (always ? 2 : 8);
      }
      this.coverCursor();
      const interval = Math.floor(this.nowMs / FOLLOW_INTERVAL_MS);
      if (interval === this.lastInterval || !this.actions.isPlaying()) return;
      this.lastInterval = interval;
      this.reveal(this.rows.slice(1).filter((row) => spanAt(row.lanes[0].spans, this.nowMs)));
    }

    /* Hides the cursor while it is scrolled behind the labels. */
    coverCursor() {
      this.cursor.hidden = (this.nowMs / this.endMs) * this.width < this.scroller.scrollLeft - 1;
    }

    showTipAtNow(row) {
      const bounds = row.track.getBoundingClientRect();
      this.showTip(row, this.nowMs, bounds.left + (this.nowMs / this.endMs) * bounds.width, bounds);
    }

    showTip(row, ms, x, bounds) {
      const lines = row === this.rows[0] ? this.facesAt(ms) : this.scoresAt(row, ms);
      this.tip.replaceChildren(...lines);
      this.tip.hidden = false;
      const { offsetWidth: width, offsetHeight: height } = this.tip;
      const edge = 8;
      const above = bounds.top - height - edge;
      this.tip.style.left = `${Math.max(edge, Math.min(x - width / 2, window.innerWidth - width - edge))}px`;
      const below = Math.min(this.scroller.getBoundingClientRect().bottom + edge, window.innerHeight - height - edge);
      this.tip.style.top = `${above > 0 ? above : Math.max(edge, below)}px`;
    }

    hideTip() {
      this.tip.hidden = true;
    }

    facesAt(ms) {
      const lines = [make("strong", { text: clock(ms) })];
      for (const lane of this.data.lanes) {
        const span = spanAt(lane.spans, ms);
        if (span && lines.length <= MAX_FACES_IN_TIP) {
          lines.push(this.scoreLine(this.nameOf(lane), span[2], span[3 + span[2]], this.word(span[2])));
        }
      }
      if (lines.length === 1) lines.push(make("span", { text: this.words.noFace }));
      return lines;
    }

    scoresAt(row, ms) {
      const span = spanAt(row.lanes[0].spans, ms);
      if (!span) return [make("strong", { text: `${row.name} \u00b7 ${clock(ms)}` }), make("span", { text: this.words.noFace })];
      const lines = [make("strong", { text: `${row.name} \u00b7 ${clock(span[0])} \u2013 ${clock(span[1])}` })];
      this.data.emotions.forEach((_, emotion) => {
        const line = this.scoreLine(this.word(emotion), emotion, span[3 + emotion], "");
        if (emotion === span[2]) line.classList.add("ap-best");
        lines.push(line);
      });
      const machine = this.machineAt(row.lanes[0], ms);
      if (machine) lines.push(make("span", { text: machine.trim() }));
      return lines;
    }

    /* What the machine says where people corrected or confirmed it; empty elsewhere. */
    machineAt(lane, ms) {
      const span = spanAt(lane.corrected || [], ms);
      return span ? ` (${fill(this.words.reviewed, { emotion: this.word(span[2]) })})` : "";
    }

    scoreLine(name, emotion, value, word) {
      const filled = make("i");
      filled.style.width = `${(100 * value) / SCORE_SCALE}%`;
      filled.style.background = this.data.emotions[emotion].colour;
      const bar = make("span", { class: "ap-bar" }, filled);
      return make("span", { class: "ap-score" }, make("span", { text: name }), bar, make("span", { text: `${word} ${score(value)}`.trim() }));
    }

    destroy() {
      this.observer.disconnect();
    }
  }

  return { Timeline, score, spanAt };
})();
