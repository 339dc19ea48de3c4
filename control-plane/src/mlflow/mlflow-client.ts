/** Why: MLflow has no client for TypeScript; these are the calls of its REST API that we need, and nothing more. */
import { FleetError } from '@fleetloop/schemas';
import { z } from 'zod';

const REQUEST_TIMEOUT_MS = 20_000;
const METRICS_PER_BATCH_MAX = 1_000;
const PARAMETER_LENGTH_MAX = 6_000;
/** MLflow refuses longer digests; the whole one goes into a tag. */
export const MLFLOW_DIGEST_LENGTH_MAX = 36;

export type MlflowTag = { readonly key: string; readonly value: string };
export type MlflowMetric = {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
  readonly dataset_name?: string;
  readonly dataset_digest?: string;
};

const Experiment = z.object({ experiment: z.object({ experiment_id: z.string() }) });
const Run = z.object({ run: z.object({ info: z.object({ run_id: z.string(), artifact_uri: z.string() }) }) });
const ModelVersion = z.object({
  version: z.string(),
  tags: z.array(z.object({ key: z.string(), value: z.string() })).optional(),
});
const Versions = z.object({ model_versions: z.array(ModelVersion).optional() });
const Runs = z.object({ runs: z.array(z.object({ info: z.object({ run_id: z.string() }) })).optional() });

export type MlflowModelVersion = z.infer<typeof ModelVersion>;

/** A thin client of one MLflow server. Every failure is TRAINING_MLFLOW, which is retryable. */
export class MlflowClient {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url.replace(/\/$/, '');
  }

  /** Id of the experiment of that name, which is created when absent. */
  async experiment(name: string): Promise<string> {
    const found = await this.#call(
      'GET',
      `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`,
      undefined,
      'RESOURCE_DOES_NOT_EXIST',
    );
    if (found !== undefined) return Experiment.parse(found).experiment.experiment_id;
    const created = await this.#call('POST', 'experiments/create', { name }, 'RESOURCE_ALREADY_EXISTS');
    if (created === undefined) return this.experiment(name);
    return z.object({ experiment_id: z.string() }).parse(created).experiment_id;
  }

  /** Id of a run of an experiment that carries the tag, if there is one. */
  async findRun(experimentId: string, tag: MlflowTag): Promise<string | undefined> {
    const filter = `tags.\`${tag.key}\` = '${tag.value}'`;
    const found = await this.#call('POST', 'runs/search', { experiment_ids: [experimentId], filter, max_results: 1 });
    return Runs.parse(found).runs?.[0]?.info.run_id;
  }

  async createRun(experimentId: string, name: string, tags: readonly MlflowTag[]): Promise<string> {
    const created = await this.#call('POST', 'runs/create', {
      experiment_id: experimentId,
      run_name: name,
      start_time: Date.now(),
      tags,
    });
    return Run.parse(created).run.info.run_id;
  }

  async finishRun(runId: string): Promise<void> {
    await this.#call('POST', 'runs/update', { run_id: runId, status: 'FINISHED', end_time: Date.now() });
  }

  async logBatch(
    runId: string,
    params: Readonly<Record<string, string>>,
    metrics: readonly MlflowMetric[],
  ): Promise<void> {
    const entries = Object.entries(params).map(([key, value]) => ({
      key,
      value: value.slice(0, PARAMETER_LENGTH_MAX),
    }));
    await this.#call('POST', 'runs/log-batch', {
      run_id: runId,
      params: entries,
      metrics: metrics.slice(0, METRICS_PER_BATCH_MAX),
    });
  }

  /** Says which dataset a run used. `digest` has at most MLFLOW_DIGEST_LENGTH_MAX characters. */
  async logDataset(
    runId: string,
    dataset: { readonly name: string; readonly digest: string; readonly source: string },
  ): Promise<void> {
    const input = {
      dataset: { name: dataset.name, digest: dataset.digest, source_type: 'fleetloop', source: dataset.source },
      tags: [{ key: 'mlflow.data.context', value: 'training' }],
    };
    await this.#call('POST', 'runs/log-inputs', { run_id: runId, datasets: [input] });
  }

  async tagRun(runId: string, tag: MlflowTag): Promise<void> {
    await this.#call('POST', 'runs/set-tag', { run_id: runId, ...tag });
  }

  /** Where the artifacts of a run lie, as MLflow names it. */
  async artifactUri(runId: string): Promise<string> {
    return Run.parse(await this.#call('GET', `runs/get?run_id=${encodeURIComponent(runId)}`)).run.info.artifact_uri;
  }

  /** Uploads one artifact through the server's artifact proxy. */
  async putArtifact(artifactUri: string, path: string, bytes: Uint8Array): Promise<void> {
    const root = artifactUri.replace(/^mlflow-artifacts:(\/\/[^/]*)?\/?/, '');
    if (root === artifactUri)
      throw new FleetError(
        'TRAINING_MLFLOW',
        `MLflow keeps artifacts at ${artifactUri}, which its server does not proxy: start it with --serve-artifacts`,
      );
    await this.#send(
      'PUT',
      `${this.#url}/api/2.0/mlflow-artifacts/artifacts/${root}/${path}`,
      Buffer.from(bytes),
      'application/octet-stream',
    );
  }

  async ensureRegisteredModel(name: string): Promise<void> {
    await this.#call('POST', 'registered-models/create', { name }, 'RESOURCE_ALREADY_EXISTS');
  }

  /** All versions of a registered model. */
  async modelVersions(name: string): Promise<readonly MlflowModelVersion[]> {
    const filter = encodeURIComponent(`name='${name}'`);
    return (
      Versions.parse(await this.#call('GET', `model-versions/search?filter=${filter}&max_results=1000`))
        .model_versions ?? []
    );
  }

  async createModelVersion(version: {
    readonly name: string;
    readonly source: string;
    readonly runId: string;
    readonly tags: readonly MlflowTag[];
  }): Promise<string> {
    const { name, source, runId, tags } = version;
    const created = await this.#call('POST', 'model-versions/create', { name, source, run_id: runId, tags });
    return z.object({ model_version: ModelVersion }).parse(created).model_version.version;
  }

  async tagModelVersion(name: string, version: string, tag: MlflowTag): Promise<void> {
    await this.#call('POST', 'model-versions/set-tag', { name, version, ...tag });
  }

  async setAlias(name: string, alias: string, version: string): Promise<void> {
    await this.#call('POST', 'registered-models/alias', { name, alias, version });
  }

  /** One call of the REST API; undefined when MLflow answers with the error code that the caller expects. */
  async #call(method: 'GET' | 'POST', path: string, body?: unknown, expectedError?: string): Promise<unknown> {
    const response = await this.#fetch(
      method,
      `${this.#url}/api/2.0/mlflow/${path}`,
      body === undefined ? undefined : JSON.stringify(body),
      'application/json',
    );
    const text = await response.text();
    if (response.ok) return text === '' ? {} : parseReply(text, path);
    if (expectedError !== undefined && text.includes(expectedError)) return undefined;
    throw new FleetError('TRAINING_MLFLOW', `MLflow answered ${response.status} to ${path}: ${text.slice(0, 400)}`);
  }

  async #send(method: 'PUT', url: string, bytes: Uint8Array<ArrayBuffer>, type: string): Promise<void> {
    const response = await this.#fetch(method, url, bytes, type);
    if (!response.ok)
      throw new FleetError(
        'TRAINING_MLFLOW',
        `MLflow answered ${response.status} to an artifact: ${(await response.text()).slice(0, 400)}`,
      );
    await response.arrayBuffer();
  }

  async #fetch(
    method: string,
    url: string,
    body: string | Uint8Array<ArrayBuffer> | undefined,
    type: string,
  ): Promise<Response> {
    try {
      return await fetch(url, {
        method,
        headers: { 'content-type': type },
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        ...(body === undefined ? {} : { body }),
      });
    } catch (cause) {
      throw new FleetError('TRAINING_MLFLOW', `MLflow at ${this.#url} does not answer: is it running?`, { cause });
    }
  }
}

function parseReply(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FleetError('TRAINING_MLFLOW', `MLflow answered ${path} with something that is not JSON`, { cause });
  }
}
