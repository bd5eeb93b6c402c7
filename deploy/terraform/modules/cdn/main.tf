# CloudFront before the web apps. Their files have names that change with their content, so they are kept
# at the edge for as long as they are asked for; everything else goes through untouched, streams included.

data "aws_cloudfront_cache_policy" "files" {
  name = "Managed-CachingOptimized"
}

data "aws_cloudfront_cache_policy" "nothing" {
  name = "Managed-CachingDisabled"
}

data "aws_cloudfront_origin_request_policy" "everything" {
  name = "Managed-AllViewer"
}

resource "aws_acm_certificate" "this" {
  provider = aws.us_east_1

  domain_name       = var.domain_name
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "validation" {
  for_each = {
    for option in aws_acm_certificate.this.domain_validation_options : option.domain_name => option
  }

  zone_id         = var.zone_id
  name            = each.value.resource_record_name
  type            = each.value.resource_record_type
  records         = [each.value.resource_record_value]
  ttl             = 60
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  provider = aws.us_east_1

  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for record in aws_route53_record.validation : record.fqdn]
}

resource "aws_cloudfront_distribution" "this" {
  #checkov:skip=CKV2_AWS_47:a web ACL belongs to the organisation; web_acl_arn puts it before this. No Java runs behind it
  #checkov:skip=CKV_AWS_86:the load balancer logs what reaches it; what the edge answers are public files
  #checkov:skip=CKV_AWS_374:people travel
  #checkov:skip=CKV_AWS_310:a second origin is a second region, which the load balancer's name leads to
  #checkov:skip=CKV2_AWS_32:the server sends the headers itself, with a policy for each page
  #checkov:skip=CKV_AWS_305:the root is the server's to answer
  enabled         = true
  comment         = "${var.name}: web apps"
  aliases         = [var.domain_name]
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = "PriceClass_All"
  web_acl_id      = var.web_acl_arn == "" ? null : var.web_acl_arn

  origin {
    origin_id   = "server"
    domain_name = var.origin_domain_name

    custom_origin_config {
      http_port              = 80
      https_port             = 443
      origin_protocol_policy = "https-only"
      origin_ssl_protocols   = ["TLSv1.2"]
      # Streams are never silent for that long.
      origin_read_timeout      = 60
      origin_keepalive_timeout = 60
    }
  }

  default_cache_behavior {
    target_origin_id         = "server"
    viewer_protocol_policy   = "redirect-to-https"
    allowed_methods          = ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]
    cached_methods           = ["GET", "HEAD"]
    cache_policy_id          = data.aws_cloudfront_cache_policy.nothing.id
    origin_request_policy_id = data.aws_cloudfront_origin_request_policy.everything.id
    compress                 = false
  }

  dynamic "ordered_cache_behavior" {
    for_each = ["/chat/assets/*", "/admin/assets/*"]

    content {
      path_pattern             = ordered_cache_behavior.value
      target_origin_id         = "server"
      viewer_protocol_policy   = "redirect-to-https"
      allowed_methods          = ["GET", "HEAD"]
      cached_methods           = ["GET", "HEAD"]
      cache_policy_id          = data.aws_cloudfront_cache_policy.files.id
      origin_request_policy_id = data.aws_cloudfront_origin_request_policy.everything.id
      compress                 = true
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    acm_certificate_arn      = aws_acm_certificate_validation.this.certificate_arn
    ssl_support_method       = "sni-only"
    minimum_protocol_version = "TLSv1.2_2021"
  }
}

resource "aws_route53_record" "this" {
  for_each = toset(["A", "AAAA"])

  zone_id = var.zone_id
  name    = var.domain_name
  type    = each.key

  alias {
    name                   = aws_cloudfront_distribution.this.domain_name
    zone_id                = aws_cloudfront_distribution.this.hosted_zone_id
    evaluate_target_health = false
  }
}
