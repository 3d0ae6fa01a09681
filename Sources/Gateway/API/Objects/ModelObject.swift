public import ProtoMessages

extension JSON {
    /// The REST API's Model.
    public init(_ model: Model) {
        self = .object([
            ("id", .string(model.id)),
            ("object", .string("model")),
            ("created", .integer(model.createdAt)),
            ("owned_by", .string(model.ownedBy)),
        ])
    }

    /// All models; this list has no pages.
    public static func models(_ models: [Model]) -> JSON {
        .object([("object", .string("list")), ("data", .array(models.map { JSON($0) }))])
    }
}
