/** The process in which the trigger rate is measured: the flags of Node are decided when a process starts. Prints one line of JSON. */
import { measureTriggerRate } from './trigger-rate.ts';

const [repeats, read] = process.argv.slice(2);
const measurement = await measureTriggerRate(Number(repeats), read === 'always' ? 'always' : 'seldom');
process.stdout.write(`${JSON.stringify(measurement)}\n`);
