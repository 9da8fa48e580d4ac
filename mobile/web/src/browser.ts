/** What a browser tells of itself, by the names of a run record. `docs/formats/vectors/browsers.json` holds it and Python together. */

export interface Named {
  readonly name: string;
  readonly version: string;
}

/** In this order: browsers that are made of another one name that one too. */
const NAMES: readonly (readonly [string, RegExp])[] = [
  ["Edge", /\b(?:Edg|EdgA|EdgiOS)\/([\d.]+)/],
  ["Samsung Internet", /\bSamsungBrowser\/([\d.]+)/],
  ["Opera", /\bOPR\/([\d.]+)/],
  ["Firefox", /\b(?:Firefox|FxiOS)\/([\d.]+)/],
  ["Chrome on iOS", /\bCriOS\/([\d.]+)/],
  ["Headless Chrome", /\bHeadlessChrome\/([\d.]+)/],
  ["Chrome", /\bChrome\/([\d.]+)/],
  ["Safari", /\bVersion\/([\d.]+).*\bSafari\//],
];

const SYSTEMS: readonly (readonly [string, RegExp])[] = [
  ["Android", /\bAndroid ([\d.]+)/],
  ["iOS", /\b(?:iPhone )?OS ([\d_]+) like Mac OS X/],
  ["ChromeOS", /\bCrOS \S+ ([\d.]+)/],
  ["macOS", /\bMac OS X ([\d_.]+)/],
  ["Windows", /\bWindows NT ([\d.]+)/],
  ["Linux", /\bLinux()/],
];

/** Name and version from a user agent. */
export function browserOf(agent: string): Named {
  return first(NAMES, agent) ?? { name: "unknown", version: "unknown" };
}

/** The operating system as the user agent tells it, often frozen to an old version; null where it tells none. */
export function systemOf(agent: string): string | null {
  const found = first(SYSTEMS, agent);
  return found && `${found.name} ${found.version.replaceAll("_", ".")}`.trim();
}

function first(table: readonly (readonly [string, RegExp])[], agent: string): Named | null {
  for (const [name, pattern] of table) {
    const found = pattern.exec(agent);
    if (found) return { name, version: found[1] ?? "" };
  }
  return null;
}
