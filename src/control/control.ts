/** The door of the control room: what can be asked of a daemon, and the server that carries it. Who asks imports client.ts. */
export {
  AskError,
  type AccountStatus,
  type Amount,
  type Approved,
  type Desk,
  type Held,
  type HistoryLine,
  type LoggedOut,
  type LoginAsked,
  type LoginBegun,
  type LoginChecked,
  type LoginDesk,
  type LoginProgress,
  type PathVerdict,
  type Plan,
  type PlannedTarget,
  type Reloaded,
  type RestoreDesk,
  type Resynced,
  type ResyncRequest,
  type SourceStatus,
  type Status,
  type TargetStatus,
  type Verdict,
} from './desk.ts'
export type { VerifyDifference, VerifyEvent, VerifyRequest, VerifyTally } from './verify.ts'
export { serveDesk, type DeskServer } from './server.ts'
