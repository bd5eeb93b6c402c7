export { Approvals } from "./Approvals";
