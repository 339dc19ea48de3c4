/** Names with words in braces, e.g. `imu_{run}.csv`: read a word out of a name, or fill words in. */
import { FleetError } from '../errors/fleet-error.ts';

const WORD = /\{([a-z][A-Za-z0-9]*)\}/g;

/** The words of a name that follows the template, or undefined when it does not. */
export function matchTemplate(template: string, name: string): Readonly<Record<string, string>> | undefined {
  const parts = template.split(WORD);
  const pattern = parts.map((part, index) => (index % 2 === 1 ? `(?<${part}>[A-Za-z0-9._-]+?)` : escapePattern(part)));
  const match = new RegExp(`^${pattern.join('')}$`).exec(name);
  return match === null ? undefined : { ...match.groups };
}

/** The words that a template asks for. */
export function templateWords(template: string): readonly string[] {
  return [...template.matchAll(WORD)].map((match) => match[1] ?? '');
}

/**
 * Fills the words in.
 * @throws FleetError `MAPPING_INVALID` for a word that nothing gives.
 */
export function fillTemplate(template: string, words: Readonly<Record<string, string>>): string {
  return template.replaceAll(WORD, (_whole, word: string) => {
    const value = words[word];
    if (value === undefined)
      throw new FleetError('MAPPING_INVALID', `"${template}": no file name gives the word {${word}}`);
    return value;
  });
}

function escapePattern(literal: string): string {
  return literal.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
