/** Why: what takes minutes to build or download is kept per user, so that the next clone starts in seconds. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** The folder of the caches: `$XDG_CACHE_HOME/fleetloop`, or `~/.cache/fleetloop`. A relative variable is ignored (XDG). */
export function cacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const base = env['XDG_CACHE_HOME'];
  const isUsable = base !== undefined && isAbsolute(base);
  return join(isUsable ? base : join(homedir(), '.cache'), 'fleetloop');
}
