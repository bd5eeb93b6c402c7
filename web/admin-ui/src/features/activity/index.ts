export { Activity } from "./Activity";
