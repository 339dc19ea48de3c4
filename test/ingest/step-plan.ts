/** Why: a life for each step takes seconds; a run takes some of the steps, another run takes the others, and one variable takes them all. */

/** Takes every step: `FLEETLOOP_STEPS=all`. */
const EVERY = process.env['FLEETLOOP_STEPS'] === 'all';
/** Far more than any operation has: whoever goes on until there is no step left would else go on for ever. */
const STEPS_MAX = 400;

/** Steps from 1 on, every `stride`th from a first one that changes from run to run and is printed. */
export function* stepsToDieAt(stride = 4): Generator<number> {
  const first = EVERY ? 1 : 1 + Math.floor(Math.random() * stride);
  process.stdout.write(`dies before step ${first} and every ${EVERY ? 1 : stride}th after it\n`);
  for (let step = first; step <= STEPS_MAX; step += EVERY ? 1 : stride) yield step;
  throw new Error(`after ${STEPS_MAX} steps there is still one more`);
}
