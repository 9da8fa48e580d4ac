/** The labels of a classifier, best first, each with its probability as a bar and a number. */

import type { Label } from "../labels.js";
import { LANGUAGE } from "./strings.js";

const PERCENT = new Intl.NumberFormat(LANGUAGE, { style: "percent", maximumFractionDigits: 1 });

export function showLabels(list: HTMLElement, labels: readonly Label[]): void {
  list.replaceChildren(
    ...labels.map((label) => {
      const row = document.createElement("li");
      const bar = Object.assign(document.createElement("meter"), { value: label.probability ?? 0, ariaLabel: label.name });
      const [name, share] = [label.name, shareOf(label)].map((textContent) => Object.assign(document.createElement("span"), { textContent }));
      row.append(name!, bar, share!);
      return row;
    }),
  );
}

/** The best label in short; empty where there is none. */
export function bestOf([best]: readonly Label[]): string {
  return best ? `${best.name}: ${shareOf(best)}` : "";
}

function shareOf({ probability, score }: Label): string {
  return probability === null ? String(score) : PERCENT.format(probability);
}
