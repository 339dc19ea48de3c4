/** All routes of all stages, in one list that the API is built from. */
import type { FastifyInstance } from 'fastify';
import { registerConsoleRoutes } from '../console/console-routes.ts';
import { registerDatasetRoutes } from '../dataset/dataset-routes.ts';
import { registerDriftRoutes } from '../drift/drift-routes.ts';
import { registerComputationRoutes } from '../features/computation-routes.ts';
import { registerFeatureRoutes } from '../features/feature-routes.ts';
import { registerApprovalRoutes } from '../approval/promotion-routes.ts';
import { registerEvaluationRoutes } from '../evaluation/gate-routes.ts';
import { registerFeedbackRoutes } from '../feedback/feedback-routes.ts';
import { registerImportRunRoutes } from '../import/import-run-routes.ts';
import { registerLedgerRoutes } from '../ledger/ledger-routes.ts';
import { registerFindingRoutes } from '../quality/findings-routes.ts';
import { registerRolloutRoutes } from '../rollout/rollout-routes.ts';
import { registerTraceRoutes } from '../trace/trace-routes.ts';
import { registerTrainingRoutes } from '../training/training-routes.ts';
import { registerWorkflowRoutes } from '../workflow/workflow-routes.ts';
import type { ControlPlane } from './control-plane-context.ts';

export const STAGE_ROUTES: readonly ((app: FastifyInstance, context: ControlPlane) => void)[] = [
  registerConsoleRoutes,
  registerDatasetRoutes,
  registerDriftRoutes,
  registerComputationRoutes,
  registerFeatureRoutes,
  registerFindingRoutes,
  registerApprovalRoutes,
  registerEvaluationRoutes,
  registerFeedbackRoutes,
  registerImportRunRoutes,
  registerLedgerRoutes,
  registerRolloutRoutes,
  registerTraceRoutes,
  registerTrainingRoutes,
  registerWorkflowRoutes,
];
