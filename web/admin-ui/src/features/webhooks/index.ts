export { Webhooks } from "./Webhooks";
