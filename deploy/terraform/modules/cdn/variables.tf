variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "domain_name" {
  description = "Name of the web apps at the CDN."
  type        = string
}

variable "origin_domain_name" {
  description = "Name of the load balancer, for which it has a certificate."
  type        = string
}

variable "zone_id" {
  description = "Route 53 zone of the name."
  type        = string
}

variable "web_acl_arn" {
  description = "A web ACL of yours, of the scope CLOUDFRONT; empty: none."
  type        = string
}
