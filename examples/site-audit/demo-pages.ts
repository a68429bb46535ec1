// The sound part of the demo site: some six hundred pages about nothing, the same for the same seed.

export interface DemoPage {
  path: string;
  title: string;
  /** Ids of its sections. */
  anchors: string[];
  paragraphs: string[];
  /** Markup of the links it holds. */
  links: string[];
}

const TOPICS = [
  "anchors",
  "barley",
  "clouds",
  "dunes",
  "embers",
  "ferns",
  "gears",
  "harbours",
  "islands",
  "juniper",
  "kites",
  "lanterns",
  "meadows",
  "nets",
  "orchards",
  "pebbles",
  "quarries",
  "rivers",
  "spires",
  "tides",
  "umbrellas",
  "valleys",
  "windmills",
  "yarrow",
] as const;
const ARTICLES_PER_TOPIC = 24;
const WORDS =
  "amber ancient autumn bright brisk calm clear copper distant early easy faint gentle golden green hidden hollow late light little long narrow northern old open pale plain quick quiet restless river round rough silver slow small soft southern steady still stone sudden tall thin warm western white wide winter wooden young".split(
    " ",
  );

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The start page, one page per topic, and the articles: 601 pages, each reachable from the start. */
export function demoPages(random: () => number): { start: DemoPage; topics: DemoPage[]; articles: DemoPage[] } {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const sentence = (): string => {
    const words = Array.from({ length: 6 + Math.floor(random() * 8) }, () => pick(WORDS)).join(" ");
    return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
  };
  const page = (path: string, title: string, paragraphs: number): DemoPage => ({
    path,
    title,
    anchors: ["first", "second"],
    paragraphs: Array.from({ length: paragraphs }, () => `${sentence()} ${sentence()} ${sentence()}`),
    links: [],
  });

  const start = page("/", "The demo site", 2);
  const topics = TOPICS.map((topic) => page(`/topics/${topic}/`, `About ${topic}`, 2));
  const articles = TOPICS.flatMap((topic) =>
    Array.from({ length: ARTICLES_PER_TOPIC }, (_, index) =>
      page(`/topics/${topic}/${index + 1}.html`, `On ${topic}, part ${index + 1}`, 4),
    ),
  );

  for (const topic of topics) start.links.push(anchor(topic.path, topic.title));
  for (const [index, article] of articles.entries()) {
    const topic = topics[Math.floor(index / ARTICLES_PER_TOPIC)] as DemoPage;
    const next = articles[(index + 1) % articles.length] as DemoPage;
    const other = pick(articles);
    topic.links.push(anchor(`${(index % ARTICLES_PER_TOPIC) + 1}.html`, article.title)); // relative to /topics/…/
    article.links.push(
      anchor("./", topic.title),
      anchor(`../..${next.path}#second`, next.title),
      anchor(`${other.path}#first`, other.title),
      `<img alt="" src="/assets/picture-${index % 12}.svg">`,
    );
  }
  return { start, topics, articles };
}

export function render(page: DemoPage): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${page.title}</title>
<link rel="stylesheet" href="/assets/site.css">
<link rel="icon" href="/assets/picture-0.svg">
<script src="/assets/site.js" defer></script>
</head>
<body>
<nav><a href="/">Start</a> <a href="#top">Top</a></nav>
<h1>${page.title}</h1>
${page.paragraphs.map((text, index) => `<p id="${page.anchors[index] ?? `p${index}`}">${text}</p>`).join("\n")}
<ul>
${page.links.map((link) => `<li>${link}</li>`).join("\n")}
</ul>
</body>
</html>
`;
}

export function picture(index: number): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><circle cx="32" cy="32" r="${8 + index}"/></svg>`;
}

export function anchor(href: string, text: string): string {
  return `<a href="${href}">${text}</a>`;
}
