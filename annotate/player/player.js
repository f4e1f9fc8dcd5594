"use strict";

/* A video with its emotions as subtitles, and its timeline. */
const AnnotatePlayer = (() => {
  const { make, fill, clock } = AnnotateElements;
  const { Timeline, score, spanAt } = AnnotateTimeline;
  const ROWS_PER_PAGE = 500;
  const SEEK_OFFSET_S = 0.001; // times are rounded to ms; seek slightly past the start of a frame, never before it
  const styles = new Map();

  /* Returns the CSS class of an emotion's cues; cues can only be colored by rules of a style sheet. */
  function cueClass(emotion) {
    const key = `${emotion.name}\n${emotion.colour}`;
    if (!styles.has(key)) {
      styles.set(key, { name: `ap-emotion-${styles.size}`, colour: emotion.colour, ink: emotion.ink });
      try {
        const sheet = new CSSStyleSheet();
        const rules = [...styles.values()].map(
          (each) => `.ap-video video::cue(.${each.name}) { background-color: ${each.colour}; color: ${each.ink}; }`,
        );
        sheet.replaceSync(rules.join("\n"));
        document.adoptedStyleSheets = [...document.adoptedStyleSheets.filter((each) => each !== cueClass.sheet), sheet];
        cueClass.sheet = sheet;
      } catch {
        // older browsers show cues without colors
      }
    }
    return styles.get(key).name;
  }

  function escape(text) {
    return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  }

  /* Adds the cues by script: browsers do not load <track> elements in file:// pages. */
  function addCues(video, data, words) {
    const track = video.addTextTrack("subtitles", words.track, words.language);
    fillTrack(track, data, words);
    track.mode = "showing";
    return track;
  }

  function fillTrack(track, data, words) {
    for (const [startMs, endMs, face, emotion, line, right] of data.cues) {
      const { name } = data.emotions[emotion];
      const word = words.emotions[name] || name;
      const label = (data.labels || {})[face] || face;
      const text = data.numbered || (data.named || []).includes(face) ? `${label}: ${word}` : word;
      const cue = new VTTCue(startMs / 1000, endMs / 1000, `<c.${cueClass(data.emotions[emotion])}>${escape(text)}</c>`);
      if (line !== null) {
        cue.snapToLines = false;
        cue.line = 100 * line;
        cue.position = 100 * Math.max(Math.min(1, text.length * data.letter), right);
        cue.align = "end";
      }
      track.addCue(cue);
    }
  }

  function buildLegend(data, words) {
    const entries = data.emotions.map((emotion) => {
      const swatch = make("i", { class: "ap-swatch" });
      swatch.style.background = emotion.colour;
      return make("li", {}, swatch, words.emotions[emotion.name] || emotion.name);
    });
    return make("ul", { class: "ap-legend" }, ...entries);
  }

  /* Builds a table of all blocks, page by page, starting when it is opened. */
  function buildTable(data, words, seek) {
    const details = make("details", { class: "ap-details" }, make("summary", { text: words.table }));
    const reviewed = data.lanes.some((lane) => lane.corrected);
    const blocks = data.lanes.flatMap((lane) => lane.spans.map((span) => [lane.name || lane.person || lane.face, span, lane]));
    blocks.sort((one, other) => one[1][0] - other[1][0] || String(one[0]).localeCompare(String(other[0]), undefined, { numeric: true }));
    const names = data.emotions.map((emotion) => words.emotions[emotion.name] || emotion.name);
    const heads = [words.faceColumn, words.start, words.end, words.emotion, words.confidence, ...names, ...(reviewed ? [words.machine] : [])];
    const body = make("tbody");
    const more = make("button", { type: "button", class: "ap-more" });
    function addRows() {
      const from = body.rows.length;
      for (const [face, span, lane] of blocks.slice(from, from + ROWS_PER_PAGE)) {
        const start = make("button", { type: "button", class: "ap-seek", text: clock(span[0], 3) });
        start.addEventListener("click", () => seek(span[0]));
        const cells = [face, start, clock(span[1], 3), names[span[2]], score(span[3 + span[2]]), ...span.slice(3).map(score)];
        const machine = spanAt(lane.corrected || [], span[0]);
        if (reviewed) cells.push(machine ? names[machine[2]] : "");
        body.append(make("tr", {}, ...cells.map((cell) => make("td", {}, cell))));
      }
      const left = blocks.length - body.rows.length;
      more.hidden = left <= 0;
      more.textContent = fill(words.more, { number: Math.min(left, ROWS_PER_PAGE), total: blocks.length });
    }
    more.addEventListener("click", addRows);
    details.addEventListener("toggle", () => {
      if (!details.open || body.rows.length) return;
      addRows();
      const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col", text })));
      const table = make("table", {}, make("thead", {}, head), body);
      details.append(make("div", { class: "ap-wide", tabindex: 0, role: "region", "aria-label": words.table }, table), more);
    });
    return details;
  }

  class Player {
    constructor(element, data, options) {
      const words = options.words || AnnotatePlayer.words.en;
      this.words = words;
      const name = options.videoName || "";
      this.isPlayable = Boolean(options.videoUrl);
      this.pendingMs = null;
      this.video = make("video", { controls: "", preload: "metadata", playsinline: "", "aria-label": fill(words.video, { name }) });
      if (data.width_px && data.height_px) this.video.style.aspectRatio = `${data.width_px} / ${data.height_px}`;
      this.note = make("p", { class: "ap-note", role: "status", hidden: "" });
      this.stage = make("div", { class: "ap-video" }, this.video, this.note);
      if (options.downloads && options.downloads.length) this.stage.append(this.buildDownloads(options.downloads, words));
      this.side = make("div", { class: "ap-side" });
      this.fillSide(data);
      this.root = make("div", { class: "ap", lang: words.language }, make("div", { class: "ap-columns" }, this.stage, this.side));
      element.replaceChildren(this.root);
      this.showUnplayable = () => {
        const open = make("a", { href: options.videoUrl || null, text: words.open });
        this.note.replaceChildren(fill(words.unplayable, { name: `\u2068${name}\u2069` }));
        if (options.videoUrl) this.note.append(" ", open);
      };
      if (this.isPlayable) this.load(options.videoUrl, data, words);
      else this.onUnplayable();
    }

    fillSide(data) {
      const { words } = this;
      this.timeline = new Timeline(data, words, {
        seek: (ms) => this.seek(ms),
        togglePlaying: () => this.togglePlaying(),
        isPlaying: () => this.isPlayable && !this.video.paused,
      });
      if (data.lanes.length) {
        const keys = make("p", { class: "ap-keys", text: words.keys });
        const table = buildTable(data, words, (ms) => this.seek(ms));
        this.side.replaceChildren(this.timeline.element, buildLegend(data, words), keys, table);
      } else this.side.replaceChildren(make("p", { class: "ap-none", text: words.noFaces }), this.timeline.element);
    }

    /* Shows other data of the same video: the video goes on, and the timeline stays where it was. */
    update(data) {
      const { nowMs, zoom, selected, element, scroller } = this.timeline;
      const isFocused = element.contains(document.activeElement);
      const { scrollTop, scrollLeft } = scroller;
      const wasOpen = Boolean(this.side.querySelector("details[open]"));
      this.timeline.destroy();
      this.fillSide(data);
      const { timeline } = this;
      timeline.zoomBy(zoom);
      timeline.select(Math.min(selected, timeline.rows.length - 1));
      timeline.show(nowMs);
      timeline.scroller.scrollTop = scrollTop;
      timeline.scroller.scrollLeft = scrollLeft;
      if (isFocused) timeline.focus();
      if (wasOpen) this.side.querySelector("details").open = true;
      if (!this.track) return;
      for (const cue of [...this.track.cues]) this.track.removeCue(cue);
      fillTrack(this.track, data, this.words);
    }

    buildDownloads(downloads, words) {
      const links = downloads.map(({ label, url }) => make("a", { href: url, download: "", text: label }));
      return make("nav", { class: "ap-downloads", "aria-label": words.downloads }, ...links);
    }

    load(url, data, words) {
      const { video } = this;
      this.track = addCues(video, data, words);
      const follow = () => {
        this.timeline.show(video.currentTime * 1000);
        this.frame = video.paused || video.ended ? 0 : requestAnimationFrame(follow);
      };
      video.addEventListener("play", () => {
        cancelAnimationFrame(this.frame);
        follow();
      });
      video.addEventListener("timeupdate", () => !this.isSeeking() && this.timeline.show(video.currentTime * 1000));
      video.addEventListener("loadedmetadata", () => {
        if (!video.videoWidth) this.onUnplayable();
        else if (this.pendingMs !== null) this.seek(this.pendingMs);
      });
      video.addEventListener("error", () => this.onUnplayable());
      video.addEventListener("keydown", (event) => {
        if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.timeline.onKey(event);
      });
      video.src = url;
    }

    isSeeking() {
      return !this.isPlayable || this.video.seeking || this.pendingMs !== null;
    }

    /* Shows that the video cannot be played; the timeline stays usable without it. */
    onUnplayable() {
      cancelAnimationFrame(this.frame);
      this.isPlayable = false;
      this.video.hidden = true;
      this.note.hidden = false;
      this.showUnplayable();
    }

    seek(ms) {
      const { video } = this;
      this.timeline.show(ms);
      if (!this.isPlayable) return;
      if (video.readyState < HTMLMediaElement.HAVE_METADATA) {
        this.pendingMs = ms;
        return;
      }
      this.pendingMs = null;
      video.currentTime = Math.min(ms / 1000 + SEEK_OFFSET_S, video.duration || Infinity);
    }

    jump(direction) {
      this.timeline.jump(direction);
    }

    togglePlaying() {
      if (!this.isPlayable) return;
      if (this.video.paused) this.video.play().catch(() => {});
      else this.video.pause();
    }

    focus() {
      this.timeline.focus();
    }

    destroy() {
      cancelAnimationFrame(this.frame);
      this.timeline.destroy();
      this.isPlayable = false;
      this.showUnplayable = () => {};
      this.video.pause();
      this.video.removeAttribute("src");
      this.video.load();
      this.root.remove();
    }
  }

  return {
    words: {},
    mount(element, data, options = {}) {
      return new Player(element, data, options);
    },
  };
})();
