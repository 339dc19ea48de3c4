/**
 * Why: skew is for the vehicle whose engine was built otherwise. Loaded ahead of an agent, this makes it one: the standard deviation of
 * a sample (n - 1) instead of that of the population (n), a mistake that real firmware makes.
 */
import { registerHooks } from 'node:module';

const POPULATION = 'Math.sqrt(squares / window.count)';
const SAMPLE = 'Math.sqrt(squares / (window.count - 1))';

registerHooks({
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context);
    if (!url.endsWith('/features/window-transforms.ts')) return loaded;
    if (!(loaded.source instanceof Uint8Array)) throw new Error(`${url} was loaded without its bytes`);
    const source = Buffer.from(loaded.source).toString('utf8');
    // Without it the vehicle would be a healthy one, and the test would say so; here it says why.
    if (!source.includes(POPULATION)) throw new Error(`${url} has no ${POPULATION}: write down how it is computed now`);
    return { ...loaded, source: source.replace(POPULATION, SAMPLE) };
  },
});
