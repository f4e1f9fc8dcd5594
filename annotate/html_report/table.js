"use strict";

/* Tables of any number of rows: sorted by any column, shown page by page as they are scrolled, and saved as CSV. */
const AnnotateTable = (() => {
  const { make } = AnnotateElements;
  const { language, word } = AnnotateWords;
  const PAGE_ROWS = 200;
  const AHEAD = "800px";
  const collator = new Intl.Collator(language, { numeric: true });
  const byId = (id) => document.getElementById(id);
  const isEmpty = (value) => value === null || value === undefined || value === "";

  /* Columns have a `key`, which is that of their text, `kind` (a CSS class), `value(row)` by which they are sorted, and `cell(row)`,
     which returns the content. Those of text are sorted ascending first, others descending. */
  function compareBy(column, direction) {
    return (one, other) => {
      const [left, right] = [column.value(one), column.value(other)];
      if (isEmpty(left) || isEmpty(right)) return isEmpty(left) - isEmpty(right);
      return direction * (column.isText ? collator.compare(left, right) : left - right);
    };
  }

  /* Returns rows in the order of `sort`, a key of a column with "-" before it if descending; without one as they are. */
  function sorted(rows, columns, sort) {
    const column = columns.find(({ key }) => key === sort.replace("-", ""));
    return column ? [...rows].sort(compareBy(column, sort.startsWith("-") ? -1 : 1)) : rows;
  }

  function nextSort(column, sort) {
    const usual = column.isText ? column.key : `-${column.key}`;
    const opposite = column.isText ? `-${column.key}` : column.key;
    return sort === usual ? opposite : usual;
  }

  let shown = null;

  function addRows(count = PAGE_ROWS) {
    const { rows, columns, body, isOpen } = shown;
    const parts = rows.slice(body.rows.length, body.rows.length + count).map((row) => {
      const cells = columns.map((column, index) => {
        const content = [column.cell(row)].flat();
        if (!index) return make("th", { role: "rowheader", scope: "row", class: column.kind }, ...content);
        return make("td", { role: "cell", class: column.kind }, ...content);
      });
      return make("tr", { role: "row", "data-key": isOpen(row) }, ...cells);
    });
    body.append(...parts);
    byId("more").hidden = body.rows.length >= rows.length;
  }

  /* Shows rows as a table; `onSort` is called with the new order when a head is clicked. */
  function show({ rows, columns, sort, label, kind, onSort, keyOf = () => null }) {
    const heads = columns.map((column) => {
      const state = sort.replace("-", "") === column.key ? (sort.startsWith("-") ? "descending" : "ascending") : "none";
      const button = make("button", { type: "button", "data-column": column.key, text: word(column.key), onclick: () => onSort(nextSort(column, sort)) });
      return make("th", { role: "columnheader", scope: "col", class: column.kind, "aria-sort": state }, button);
    });
    const body = make("tbody", { role: "rowgroup" });
    const head = make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads));
    const table = make("table", { id: "table", role: "table", class: kind, "aria-label": label, "aria-rowcount": rows.length + 1 }, head, body);
    const focused = document.activeElement && document.activeElement.dataset.column;
    shown = { rows: sorted(rows, columns, sort), columns, body, isOpen: keyOf };
    addRows();
    byId("list").replaceChildren(table);
    byId("none").hidden = rows.length > 0;
    if (focused) table.querySelector(`[data-column="${focused}"]`).focus();
  }

  function clear() {
    shown = null;
    byId("list").replaceChildren();
    byId("none").hidden = byId("more").hidden = true;
  }

  /* The rows in the order in which they are shown, whether they are on the page yet or not. */
  const rows = () => (shown ? shown.rows : []);

  /* Adds rows until that with a key is shown; returns it, or null. */
  function reveal(key) {
    const index = rows().findIndex((row) => shown.isOpen(row) === key);
    if (index < 0) return null;
    if (index >= shown.body.rows.length) addRows(index + PAGE_ROWS - shown.body.rows.length);
    return shown.body.rows[index];
  }

  /* As the command line does: all text is quoted, and what a spreadsheet would run as a formula gets an apostrophe. */
  function quote(value) {
    if (isEmpty(value) || typeof value === "number") return String(value ?? "");
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return `"${safe.replaceAll('"', '""')}"`;
  }

  /* Saves a table as CSV with the names of columns that the command line has. */
  function save(name, heads, lines) {
    const text = [heads, ...lines].map((line) => line.map(quote).join(",")).join("\r\n");
    const link = make("a", { href: URL.createObjectURL(new Blob(["\ufeff", text, "\r\n"], { type: "text/csv" })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function start() {
    byId("more").addEventListener("click", () => addRows());
    const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && shown && addRows(), { rootMargin: AHEAD });
    observer.observe(byId("more"));
    window.addEventListener("beforeprint", () => shown && addRows(Infinity));
  }

  return { show, clear, rows, reveal, save, start };
})();
