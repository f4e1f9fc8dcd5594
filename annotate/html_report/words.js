"use strict";

/* The texts of the HTML report, in the language that the browser prefers. */
const AnnotateWords = (() => {
  const { fill } = AnnotateElements;
  const parse = (id) => JSON.parse(document.getElementById(id).textContent);
  const page = parse("data-page");
  const language = (navigator.languages || []).map((name) => name.slice(0, 2).toLowerCase()).find((name) => name in page.words) || "en";
  const words = page.words[language];
  const playerWords = AnnotatePlayer.words[language];
  const emotions = new Map(page.emotions.map((emotion, index) => [emotion.name, { ...emotion, index, word: playerWords.emotions[emotion.name] || emotion.name }]));

  const word = (key, values = {}) => fill(words[key], values);
  const emotionWord = (name) => (emotions.has(name) ? emotions.get(name).word : name);
  const number = (value, digits = 0) => value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const percent = (share, digits = 0) => AnnotateCharts.percent(share, digits);

  function translate() {
    document.documentElement.lang = language;
    document.title = word("title", { name: document.body.dataset.name });
    for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word, JSON.parse(element.dataset.values || "{}"));
    for (const element of document.querySelectorAll("[data-word-label]")) element.setAttribute("aria-label", word(element.dataset.wordLabel));
    for (const element of document.querySelectorAll("[data-emotion]")) element.textContent = emotionWord(element.dataset.emotion);
  }

  return { page, parse, language, playerWords, emotions, word, emotionWord, number, percent, translate };
})();
