/* The segments of a video under review: as the server has them, cut where the user divided them, and which were seen. */

const SHORTEST_MS = 40;

/* Storage may be forbidden; then nothing is kept between visits. */
export function stored(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key) || "";
  } catch {
    return value || "";
  }
}

/* Returns the milliseconds of a time such as 12.5 or 0:12.5; NaN if it is none. */
export function parseTime(text) {
  const parts = text.trim().split(":");
  const isTime = parts.length <= 3 && parts.every((part) => /^\d+([.,]\d+)?$/.test(part));
  return isTime ? Math.round(1000 * parts.reduce((sum, part) => 60 * sum + Number(part.replace(",", ".")), 0)) : NaN;
}

export class Segments {
  constructor(key) {
    this.key = `annotate.seen.${key}`;
    this.splits = new Map();
    this.seen = new Set(stored(this.key).split(" "));
    this.all = [];
  }

  /* Takes the segments of a review. Each has `face`, and `start` and `end` in milliseconds. */
  fill(review) {
    this.review = review;
    this.all = review.segments.flatMap((one) => {
      const segment = { ...one, face: one.face_id, start: Math.round(1000 * one.start_s), end: Math.round(1000 * one.end_s) };
      const inside = [...(this.splits.get(segment.face) || [])].filter((ms) => segment.start < ms && ms < segment.end);
      const edges = [segment.start, ...inside.sort((a, b) => a - b), segment.end];
      return edges.slice(1).map((end, number) => ({ ...segment, start: edges[number], end }));
    });
  }

  /* Returns the segment of one of some faces at a time, the one that starts there if there are two; null if there is none. */
  at(faces, ms) {
    const found = this.all.filter((one) => faces.includes(one.face) && one.start <= ms && ms < one.end);
    return found.find((one) => one.start === ms) || found[0] || null;
  }

  /* Returns the segments of a face that overlap a span. */
  during({ face, start, end }) {
    return this.all.filter((one) => one.face === face && one.start < end && one.end > start);
  }

  /* Returns the adjacent segment of the same face at an edge; undefined if there is none. */
  neighbor(segment, edge) {
    const other = edge === "end" ? "start" : "end";
    return this.all.find((one) => one.face === segment.face && one[other] === segment[edge]);
  }

  /* Returns the times between which an edge can be: not past the other edge, nor to where the face is not seen. */
  limits(segment, edge) {
    let last = segment;
    for (let next = last; next; next = this.neighbor(last, edge)) last = next;
    const inner = edge === "end" ? segment.start + SHORTEST_MS : segment.end - SHORTEST_MS;
    return [Math.min(inner, last[edge]), Math.max(inner, last[edge])];
  }

  /* Divides a segment at a time; returns false if that is not inside. */
  divide(segment, ms) {
    if (ms < segment.start + SHORTEST_MS || ms > segment.end - SHORTEST_MS) return false;
    this.splits.set(segment.face, (this.splits.get(segment.face) || new Set()).add(ms));
    return true;
  }

  /* Moves an edge at which only the user divided a segment; returns false if it is another one. */
  moveSplit(segment, edge, ms) {
    const marks = this.splits.get(segment.face);
    const neighbor = this.neighbor(segment, edge);
    const isSplit = marks && marks.has(segment[edge]) && neighbor;
    if (!isSplit || neighbor.emotion !== segment.emotion || neighbor.correction !== segment.correction) return false;
    marks.delete(segment[edge]);
    marks.add(ms);
    return true;
  }

  visit(segment) {
    this.seen.add(`${segment.face}:${segment.start}`);
    stored(this.key, [...this.seen].join(" "));
  }

  /* Whether a segment was selected once, or somebody decided on it. */
  isSeen(segment) {
    return segment.state !== "open" || this.seen.has(`${segment.face}:${segment.start}`);
  }

  /* Returns the segment of which the machine is least certain, of those that nobody decided on, if possible one that was
     not seen; after `segment` otherwise. */
  unsure(segment) {
    const open = this.all.filter((one) => one.state === "open");
    open.sort((a, b) => a.machine_confidence - b.machine_confidence || a.start - b.start);
    return open.find((one) => !this.isSeen(one)) || open[(open.indexOf(segment) + 1) % Math.max(1, open.length)];
  }
}
