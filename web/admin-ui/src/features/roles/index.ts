export { Roles } from "./Roles";
