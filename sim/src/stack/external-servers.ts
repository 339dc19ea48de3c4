/** Why: whoever has servers already names them in the environment, and the stack then uses them and never stops them. */
import { issueServiceUser } from '@fleetloop/control-plane';
import { FleetError } from '@fleetloop/schemas';
import type { MlflowServer } from './mlflow-server.ts';
import type { NatsServer } from './nats-server.ts';
import type { ServerControl } from './server-process.ts';
import type { TemporalServer } from './temporal-server.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The NATS server at `FLEETLOOP_NATS_URL`, whose account seed is `FLEETLOOP_NATS_ACCOUNT_SEED`.
 * @throws FleetError `CONFIG_INVALID` when only one of both is given
 */
export function externalNats(env: Environment): (() => Promise<NatsServer>) | undefined {
  const url = valueOf(env, 'FLEETLOOP_NATS_URL');
  const accountSeed = valueOf(env, 'FLEETLOOP_NATS_ACCOUNT_SEED');
  if (url === undefined && accountSeed === undefined) return undefined;
  if (url === undefined || accountSeed === undefined) {
    throw new FleetError(
      'CONFIG_INVALID',
      'FLEETLOOP_NATS_URL and FLEETLOOP_NATS_ACCOUNT_SEED belong together: set both, or neither for a local server',
    );
  }
  return async () => ({
    url,
    accountSeed,
    serviceUser: await issueServiceUser({ name: 'control-plane', accountSeed }),
    ...notOurs('NATS server'),
  });
}

/** The Temporal server at `FLEETLOOP_TEMPORAL_ADDRESS` (host:port), namespace `FLEETLOOP_TEMPORAL_NAMESPACE`. */
export function externalTemporal(env: Environment): TemporalServer | undefined {
  const address = valueOf(env, 'FLEETLOOP_TEMPORAL_ADDRESS');
  if (address === undefined) return undefined;
  const namespace = valueOf(env, 'FLEETLOOP_TEMPORAL_NAMESPACE') ?? 'default';
  return { address, namespace, uiUrl: undefined, ...notOurs('Temporal server') };
}

/** The MLflow server at `FLEETLOOP_MLFLOW_URL`. */
export function externalMlflow(env: Environment): MlflowServer | undefined {
  const url = valueOf(env, 'FLEETLOOP_MLFLOW_URL');
  return url === undefined ? undefined : { url, ...notOurs('MLflow server') };
}

/** The interpreter at `FLEETLOOP_PYTHON`, which must have the pinned packages. */
export function externalPython(env: Environment): string | undefined {
  return valueOf(env, 'FLEETLOOP_PYTHON');
}

function valueOf(env: Environment, name: string): string | undefined {
  const value = env[name];
  return value === undefined || value === '' ? undefined : value;
}

function notOurs(name: string): ServerControl {
  const refuse = async (): Promise<never> => {
    throw new FleetError(
      'STACK_UNAVAILABLE',
      `the ${name} was named in the environment: the stack does not stop or start it`,
    );
  };
  return { pid: () => undefined, kill: refuse, restart: refuse };
}
