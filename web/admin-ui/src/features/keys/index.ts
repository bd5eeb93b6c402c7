export { Keys } from "./Keys";
