// Why: dependency-cruiser walks the syntax tree with a visitor of @swc/core that does not know `using` declarations and
// stops at the first one. Loaded ahead of it (node --import), this teaches the visitor that one statement.
import visitorModule from '@swc/core/Visitor.js';

const Visitor = visitorModule.Visitor ?? visitorModule.default;
const { visitStatement } = Visitor.prototype;

Visitor.prototype.visitStatement = function visitStatementOrUsing(statement) {
  if (statement.type !== 'UsingDeclaration') return visitStatement.call(this, statement);
  for (const declaration of statement.decls) {
    if (declaration.init) declaration.init = this.visitExpression(declaration.init);
  }
  return statement;
};
