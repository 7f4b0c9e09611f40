/** What the trainer answers with when asked for its status. */
import type { TrainerStatus as StatusWith } from '../admin/trainer-status.ts';
import type { LearnerStatus } from './learner-process.ts';

export type TrainerStatus = StatusWith<LearnerStatus>;
