/** What must not leave the vehicle, as data: rules of the agent's configuration, applied before a message is written anywhere. */
import { z } from 'zod';

export const REDACTION_RULES_MAX = 64;
const NAMES_MAX = 64;

const name = z.string().regex(/^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$/, 'use a-z, 0-9, - and _');
const topics = z
  .array(z.string().min(1).max(256))
  .min(1)
  .max(NAMES_MAX)
  .describe('Topics; one that ends in `*` stands for all that begin with what is before it.');
const paths = z.array(z.string().min(1).max(256)).min(1).max(NAMES_MAX).describe('VSS paths of signals.');
const fields = z
  .array(z.string().regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/))
  .min(1)
  .max(NAMES_MAX)
  .describe('Dotted fields of JSON payloads.');
const share = z.number().min(0).max(1);

/** A rectangle in shares of the image's width and height, from its upper left corner. */
const Region = z.strictObject({ x: share, y: share, width: share, height: share });
export type ImageRegion = z.infer<typeof Region>;

const Rule = z.discriminatedUnion('kind', [
  z
    .strictObject({ kind: z.literal('drop'), name, topics: topics.optional(), paths: paths.optional() })
    .refine((rule) => rule.topics !== undefined || rule.paths !== undefined, 'names neither topics nor paths'),
  z
    .strictObject({
      kind: z.literal('round'),
      name,
      paths: paths.optional(),
      topics: topics.optional(),
      fields: fields.optional(),
      step: z
        .number()
        .positive()
        .describe('Values become multiples of it, in the unit of the catalogue; 0.01 degrees is about 1 km.'),
    })
    .refine(
      (rule) => rule.paths !== undefined || (rule.topics !== undefined && rule.fields !== undefined),
      'names neither paths nor topics with fields',
    ),
  z
    .strictObject({
      kind: z.literal('hash'),
      name,
      topics: topics.optional(),
      fields: fields.optional(),
      attributes: z
        .array(z.string().min(1).max(128))
        .min(1)
        .max(NAMES_MAX)
        .optional()
        .describe('Attributes of the session.'),
    })
    .refine(
      (rule) => rule.attributes !== undefined || (rule.topics !== undefined && rule.fields !== undefined),
      'names neither attributes nor topics with fields',
    ),
  z.strictObject({
    kind: z.literal('blank'),
    name,
    topics,
    regions: z.array(Region).min(1).max(16),
  }),
]);
export type RedactionRule = z.infer<typeof Rule>;

/** Rules in the order in which they are applied. */
export const RedactionRules = z
  .array(Rule)
  .max(REDACTION_RULES_MAX)
  .refine((rules) => new Set(rules.map((rule) => rule.name)).size === rules.length, 'names a rule twice');

/** Whether a topic is one of a rule's. */
export function coversTopic(patterns: readonly string[] | undefined, topic: string): boolean {
  return (patterns ?? []).some((pattern) =>
    pattern.endsWith('*') ? topic.startsWith(pattern.slice(0, -1)) : topic === pattern,
  );
}
